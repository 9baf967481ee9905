"""A wide view of a past day: asked for at the time bar, counted by the worker, told when it is there."""

from collections.abc import Callable

from playwright.sync_api import Route, expect

from tests.e2e.conftest import Visit


def test_an_overview_is_asked_for_and_counted(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")

    def as_of_a_nation(route: Route) -> None:
        """This register is small enough to do without: everything else is the service's own answer."""
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"needed": True})

    one.page.route("**/api/past-days*", as_of_a_nation)
    one.open("/?day=2023-12-31")
    bar = one.page.locator("section.time")
    expect(bar).to_contain_text("须先汇总一次")
    bar.get_by_role("button", name="汇总", exact=True).click()
    expect(bar).to_contain_text("概览汇总于", timeout=60_000)
    counted = "select count(*) from map.past_days where on_date = '2023-12-31' and made_at is not null and points > 0"
    assert one.facts(counted) == 1

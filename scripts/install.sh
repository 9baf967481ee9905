#!/usr/bin/env bash
# Install what is missing, and only that, on Debian or Ubuntu. Asks nothing.
#   install.sh python    .venv with the locked packages
#   install.sh postgis   PostgreSQL and PostGIS
#   install.sh fonts     a Chinese font, for the names on pictures and for printed dossiers
#   install.sh browser   Chromium, Chinese fonts and what Playwright needs, for the tests
#   install.sh clients   QGIS and GDAL as GIS people have them, for the tests; those skip where it cannot be had
#   install.sh peers     the servers that benchmarks compare with
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[1m%s\033[0m\n' "$*"; }
give_up() { printf '\n错误 · error: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"
  elif command -v sudo >/dev/null && [ -t 0 ]; then sudo "$@"
  else return 77; fi
}

lists_are_fresh=
apt_install() {
  command -v apt-get >/dev/null || give_up "这不是 Debian 或 Ubuntu，请自行安装: $* (not Debian or Ubuntu: please install these yourself)"
  say "安装系统软件包 · installing system packages: $*"
  local log; log=$(mktemp)
  if ! { { [ -n "$lists_are_fresh" ] || as_root apt-get update -qq; } && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    give_up "无法安装系统软件包；请管理员执行 (could not install; have an administrator run): apt-get update && apt-get install --no-install-recommends $*"
  fi
  rm -f "$log"
  lists_are_fresh=yes
}

python() {
  local py; py=$(command -v python3 || true)
  if [ -z "$py" ] || ! "$py" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || ! "$py" -c 'import venv, ensurepip' 2>/dev/null; then
    apt_install python3 python3-venv ca-certificates
    py=$(command -v python3)
    "$py" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || give_up "需要 Python 3.11 或更高版本 (Python 3.11 or later is needed); $py: $("$py" --version)"
  fi
  [ -x .venv/bin/python ] || { say "创建虚拟环境 · making the virtual environment"; "$py" -m venv .venv; }
  if ! command -v uv >/dev/null && [ ! -x .venv/bin/uv ]; then .venv/bin/python -m pip install -q --disable-pip-version-check uv; fi
  local uv; uv=$([ -x .venv/bin/uv ] && echo .venv/bin/uv || command -v uv)
  # uv does not read pip's configuration: hand it the index that pip was told to use.
  local index; index=$(.venv/bin/python -m pip config get global.index-url 2>/dev/null || true)
  [ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-$index}}"
  say "安装 Python 依赖 · installing Python packages"
  "$uv" pip install -q --python .venv/bin/python --require-hashes -r requirements.lock
  "$uv" pip install -q --python .venv/bin/python --no-deps --no-build-isolation -e .
  # uv leaves the packages as source, and where Python may not write beside them each process would compile them anew,
  # for longer than all else that it starts with. Some packages bring files that no Python reads: they are passed over.
  .venv/bin/python -m compileall -qq -j 0 -x '/tests/' .venv/lib/python3*/site-packages app layers tiles remote_sensing || true
}

postgis() {
  [ -z "${SHUITU_DATABASE_URL:-}" ] || [ "${1:-}" = always ] || return 0
  local control
  for control in /usr/share/postgresql/*/extension/postgis.control; do [ -e "$control" ] && return 0; done
  # The packages would start a cluster of their own; ours is private.
  if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    as_root mkdir -p /etc/postgresql-common && echo "create_main_cluster = false" | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null || true
  fi
  apt_install postgresql postgresql-postgis
}

fonts() {
  # Names on the pictures that WMS draws, and printed dossiers: without a Chinese font these are missing, and nothing else.
  [ -z "$(find /usr/share/fonts /usr/local/share/fonts \( -iname 'NotoSansCJK-Regular*' -o -iname 'SourceHanSans*' -o -iname 'wqy-*' \) -print -quit 2>/dev/null)" ] || return 0
  (apt_install fonts-wqy-microhei) || say "未安装中文字体，WMS 图上没有地名，档案不能打印 · no Chinese font was installed: pictures of WMS have no names, and dossiers cannot be printed"
}

browser() {
  command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || apt_install chromium
  # The node that Playwright brings needs it, and nothing else asks for it.
  compgen -G '/usr/lib/*/libatomic.so.1' >/dev/null || apt_install libatomic1
  [ -n "$(fc-list :lang=zh 2>/dev/null | head -n 1)" ] || apt_install fontconfig fonts-noto-cjk
}

clients() {
  command -v ogrinfo >/dev/null && /usr/bin/python3 -c 'import qgis.core' 2>/dev/null && return 0
  # A machine without them runs all other tests: do not give up.
  (apt_install gdal-bin python3-qgis qgis-providers) || say "未安装 QGIS，其测试将跳过 · QGIS was not installed: its tests will be skipped"
}

peers() {
  command -v mapserv >/dev/null && [ -x /usr/sbin/nginx ] && return 0
  apt_install cgi-mapserver nginx-light
  # Debian starts nginx on port 80; benchmarks start their own on a loopback port.
  if command -v systemctl >/dev/null; then as_root systemctl disable --now nginx >/dev/null 2>&1 || true; fi
}

for part in "$@"; do "$part"; done

# 水图 · Shuitu. `make demo` brings the map up, `make test` runs all tests; both install what they need.
SHELL := /bin/bash
BIN := .venv/bin
NODE := PATH="$(CURDIR)/$(BIN):$$PATH"
.PHONY: help demo stop clean test lint lint-service lint-frontend dev frontend lock bench

help:
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/'

demo: frontend ## 启动示例 · bring up the demo (DETACH=1 returns once it is ready)
	@scripts/install.sh postgis fonts
	@$(BIN)/shuitu demo $(if $(DETACH),--detach)

stop: ## 停止服务和私有数据库 · stop the service and the private database
	@if [ -x $(BIN)/shuitu ]; then $(BIN)/shuitu stop; else echo "未安装 · not installed"; fi

clean: stop ## 删除示例数据和构建结果 · remove the demo's data and everything built
	@if [ -x $(BIN)/shuitu ]; then $(BIN)/shuitu demo --remove; fi
	rm -rf .venv frontend/dist frontend/node_modules shuitu.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

test: lint ## 全部测试 · all tests
	@scripts/install.sh postgis browser clients
	@cd frontend && $(NODE) npm run --silent test
	@# One worker a core, each with a database of its own; more than four would want more memory than they save time.
	@$(BIN)/python -m pytest -n $$(nproc) --maxprocesses 4

lint: .venv/installed ## 代码检查 · style, types, import contracts
	@$(MAKE) --no-print-directory --output-sync -j2 lint-service lint-frontend

lint-service: .venv/installed
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

lint-frontend: frontend
	@cd frontend && $(NODE) npm run --silent lint

dev: .venv/installed frontend/node_modules/installed ## 开发环境 · the development environment

.venv/installed: requirements.lock pyproject.toml scripts/install.sh
	@scripts/install.sh python
	@touch $@

frontend: frontend/dist/index.html ## 构建前端 · build the front end

frontend/node_modules/installed: frontend/package-lock.json .venv/installed
	@echo "安装前端依赖 · installing front-end packages"
	@cd frontend && $(NODE) npm ci --no-audit --no-fund --no-update-notifier --loglevel=error && touch node_modules/installed

frontend/dist/index.html: frontend/node_modules/installed $(shell find frontend/src frontend/index.html frontend/vite.config.ts -type f 2>/dev/null)
	@echo "构建前端 · building the front end"
	@cd frontend && $(NODE) npm run --silent build

lock: ## 重新锁定依赖 · lock the dependencies anew
	@scripts/lock.sh

bench: .venv/installed ## 全部基准 · every benchmark (docs/benchmarks.md)
	@scripts/install.sh postgis
	@$(BIN)/python -m benchmarks

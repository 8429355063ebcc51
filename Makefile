# The one list of commands; `make` prints it. Node 26 comes with the npm packages, so nothing here uses the machine's own.
NODE := node_modules/.bin/node
STACK := exec $(NODE) deploy/main.ts

.DEFAULT_GOAL := help
.PHONY: help setup dev start stop restart status logs check edge-check test test-edge bench clean purge

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## Install packages, Envoy, Redis and the embedding weights into this folder
	@deploy/setup.sh

dev: setup ## Run the stack here, restarting what you change; Ctrl-C ends it
	@$(STACK) dev

start: setup ## Run the stack in the background, one log file per part in run/logs
	@$(STACK) start

stop: ## End the stack
	@$(STACK) stop

restart: setup ## End the stack and start it again
	@$(STACK) restart

status: ## Show what runs and what the edge reports
	@$(STACK) status

logs: ## Follow the logs of every part
	@$(STACK) logs

check: setup ## Type check, lint, dead exports, house rules
	@node_modules/.bin/tsc -p .
	@node_modules/.bin/biome check
	@PATH="node_modules/.bin:$$PATH" knip
	@PATH="node_modules/.bin:$$PATH" tap run test/house.test.ts

edge-check: setup ## Have Envoy validate every combination of its files
	@$(STACK) edge-check

test: setup ## Run every test; needs no running stack and disturbs none
	@PATH="node_modules/.bin:$$PATH" tap run $(ARGS)

test-edge: setup ## Attack the edge at length (about ten minutes)
	@PATH="node_modules/.bin:$$PATH" tap run --timeout=1200 --jobs=1 $(or $(ARGS),test/edge-long/*.long.ts)

bench: setup ## Measure what benchmarks/README.md claims
	@$(NODE) benchmarks/edge.ts
	@$(NODE) benchmarks/retrieval.ts

clean: stop ## Remove what setup made; data and .env stay
	rm -rf run node_modules .tap

purge: ## Delete every account, document and conversation (asks first; YES=1 does not)
	@$(STACK) purge

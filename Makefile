# The one list of commands; `make` prints it. Node 26 comes with the npm packages, so nothing here uses the machine's own.
NODE := node_modules/.bin/node
STACK := exec $(NODE) deploy/main.ts
# Search is measured beside the peers where they are.
PEERS := $(if $(wildcard run/peers/bin/python),--peers all)

.DEFAULT_GOAL := help
.PHONY: help setup smalltalk dev start stop restart status logs check edge-check test test-edge test-identity test-faults test-models test-search bench bench-peers bench-full bench-compare clean purge

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

setup: ## Install packages, Envoy, Redis and the embedding weights into this folder
	@deploy/setup.sh

smalltalk: setup ## Bring the small model that chats to run/models (98 MB)
	@$(NODE) deploy/smalltalk.ts

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

test-identity: setup ## Attack accounts, tokens, revocation and the audit log at length (about fifteen minutes)
	@PATH="node_modules/.bin:$$PATH" tap run --timeout=1200 --jobs=1 $(or $(ARGS),test/identity-long/*.long.ts)

test-models: smalltalk ## Misbehave as a model server in 55 ways, poison documents, cancel, run the small model (some minutes)
	@PATH="node_modules/.bin:$$PATH" tap run --timeout=600 --jobs=1 $(or $(ARGS),test/agent-long/*.long.ts)

test-faults: setup ## Kill, damage and break off at length (about half an hour)
	@PATH="node_modules/.bin:$$PATH" tap run --timeout=3600 --jobs=1 $(or $(ARGS),test/faults-long/*.long.ts)

bench: setup ## Measure what benchmarks/README.md claims, in small (about ten minutes)
	@$(NODE) benchmarks/edge.ts --rounds 3 --seconds 1.5
	@$(NODE) benchmarks/login.ts --rounds 2
	@$(NODE) benchmarks/answers.ts --questions 200 --timed 100
	@$(NODE) benchmarks/questions.ts --sizes 1000,10000
	@$(NODE) benchmarks/search.ts --sizes 1000,10000 --questions 300
	@$(NODE) benchmarks/scale.ts --chunks 8000 --collections 160
	@$(NODE) benchmarks/load.ts --users 8 --seconds 24
	@$(NODE) benchmarks/ingest.ts --documents 120 --load 1500 --searches 300 --rounds 1
	@$(NODE) benchmarks/retrieval.ts --sets cranfield,xquad-en

bench-full: setup ## Measure it in full (about an hour and a half, an hour more beside the peers)
	@$(NODE) benchmarks/edge.ts --rounds 9
	@$(NODE) benchmarks/login.ts
	@$(NODE) benchmarks/answers.ts
	@$(NODE) benchmarks/questions.ts
	@$(NODE) benchmarks/search.ts --sizes 1000,10000,100000,1000000 --text ../shared/eval/scifact $(PEERS)
	@$(NODE) benchmarks/scale.ts --chunks 128000 --collections 10240
	@$(NODE) benchmarks/load.ts --users 128 --seconds 210
	@$(NODE) benchmarks/ingest.ts --documents 2000 --load 10000 --rounds 1
	@$(NODE) benchmarks/retrieval.ts

bench-compare: setup ## Name the ratios that fell between two results: A=old.json B=new.json
	@$(NODE) benchmarks/compare.ts "$(A)" "$(B)"

bench-peers: setup ## Bring Chroma, pgvector, LanceDB and usearch to run/peers and measure search beside them
	@test -x run/peers/bin/python || python3 -m venv run/peers
	@run/peers/bin/pip install -q -r benchmarks/peers.txt
	@$(NODE) benchmarks/search.ts --peers all $(ARGS)

test-search: setup ## Churn collections, open ten thousand of them, ask as a thousand users (long)
	@PATH="node_modules/.bin:$$PATH" tap run --timeout=3600 --jobs=1 $(or $(ARGS),test/search-long/*.long.ts)

clean: stop ## Remove what setup made; data and .env stay
	rm -rf run node_modules .tap

purge: ## Delete every account, document and conversation (asks first; YES=1 does not)
	@$(STACK) purge

# The commands of every day. `just` lists them.

default:
    @just --list

# The quick start on the rehearsal account.
rehearse:
    cargo run --release -- up --rehearse --yes -f examples/quickstart.yaml

# Every test; the same command as in the README and in CI.
test:
    cargo test --release --workspace

# Format, lints, walls, docs: what CI checks before the tests.
check:
    cargo fmt --all -- --check
    cargo clippy --release --workspace --all-targets -- -D warnings
    cargo deny check bans licenses sources
    RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps

# Durations of planner, queue and journal, and the engine as a whole.
bench:
    cargo bench -p rayplat-engine
    cargo bench -p rayplat-state
    cargo run --release -p rayplat-state --example noop_graph -- 1000

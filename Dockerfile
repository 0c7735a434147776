FROM rust:1.95-bookworm AS build
WORKDIR /src
# The dependencies first, with nothing of ours but what names them: this layer is made anew only when they change.
# Without rust-toolchain.toml, for which tools that only people need would be fetched: the image has the compiler.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src && echo 'fn main() {}' | tee src/main.rs build.rs >/dev/null && touch src/lib.rs \
    && cargo build --release --locked \
    && rm -rf src build.rs
COPY build.rs ./
COPY proto proto
COPY src src
# Cargo goes by the files' times, and ours may be older than the stand-ins'.
RUN find build.rs src -name '*.rs' -exec touch {} + \
    && cargo build --release --locked

FROM debian:bookworm-slim
# The authorities that webhooks, mail servers and key sets are verified with.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
# The migrations' folder is empty: those who mount theirs there, or copy it into an image of their own, get no others.
# User and group are those of the Kubernetes manifests.
RUN groupadd --system --gid 10001 branchkeeper \
    && useradd --system --uid 10001 --gid branchkeeper --home-dir /var/lib/branchkeeper --no-create-home branchkeeper \
    && install --directory --owner branchkeeper --group branchkeeper /var/lib/branchkeeper \
    && mkdir --parents /etc/branchkeeper/branch_migrations
COPY --from=build /src/target/release/branchkeeper /usr/local/bin/branchkeeper
ENV BRANCHKEEPER_DATA=/var/lib/branchkeeper \
    BRANCHKEEPER_MIGRATIONS=/etc/branchkeeper/branch_migrations
USER branchkeeper
VOLUME /var/lib/branchkeeper
EXPOSE 50051
# The process lives. Whether it is ready to work is another question, with which nothing is restarted that would not
# get better by it: branchkeeper health branchkeeper.v1.MigrationService. With TLS set BRANCHKEEPER_SERVER, to the Unix
# socket or to https://… with BRANCHKEEPER_TLS_CA.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["branchkeeper", "health", "--timeout", "2s"]
ENTRYPOINT ["branchkeeper"]
CMD ["serve"]

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN useradd --system --home-dir /var/lib/branchkeeper --create-home branchkeeper
COPY --from=build /src/target/release/branchkeeper /usr/local/bin/branchkeeper
COPY branch_migrations /etc/branchkeeper/branch_migrations
ENV BRANCHKEEPER_DATA=/var/lib/branchkeeper \
    BRANCHKEEPER_MIGRATIONS=/etc/branchkeeper/branch_migrations
USER branchkeeper
VOLUME /var/lib/branchkeeper
EXPOSE 50051
HEALTHCHECK --interval=10s --timeout=3s CMD ["branchkeeper", "health"]
ENTRYPOINT ["branchkeeper"]
CMD ["serve"]

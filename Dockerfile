# syntax=docker/dockerfile:1
FROM rust:1.95-slim AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends musl-tools \
    && rm -rf /var/lib/apt/lists/* \
    && rustup target add "$(uname -m)-unknown-linux-musl"
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin ram-operator --target "$(uname -m)-unknown-linux-musl" \
    && cp "target/$(uname -m)-unknown-linux-musl/release/ram-operator" /ram-operator

# Certificate authorities, /etc/passwd with the user 65532, and nothing to run but the operator.
FROM gcr.io/distroless/static:nonroot
LABEL org.opencontainers.image.title="ram-operator" \
      org.opencontainers.image.description="Kubernetes operator for Alibaba Cloud RAM" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /ram-operator /ram-operator
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/ram-operator"]
CMD ["run"]

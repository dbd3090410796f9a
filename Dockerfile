# syntax=docker/dockerfile:1
# The image of the operator: one static program and the files of `cargo xtask image`, which needs no engine.
#
#   docker build --tag bigip-tunnel-operator --build-arg COMMIT="$(git rev-parse HEAD)" .
#
# builds it from source for the platform that is asked for (`--platform`). A release builds its programs once and
# puts the same files into archives and images: SOURCE=prebuilt takes dist/linux-ARCH/bigip-tunnel-operator.
ARG SOURCE=built

# Its own target is musl, linked statically. The cryptography library (aws-lc) is compiled from C.
FROM rust:1.95-alpine3.23 AS built
# Alpine removes old versions of its packages: a pin would break the build, not hold it.
# hadolint ignore=DL3018
RUN apk add --no-cache gcc linux-headers musl-dev \
    && cargo install cargo-auditable --locked --version 0.7.7
WORKDIR /src
COPY . .
ARG COMMIT
ARG TARGETARCH
# The folders of the build machine are kept out of the program: the same source shall give the same bytes.
ENV SOURCE_DATE_EPOCH=0 \
    RUSTFLAGS="--remap-path-prefix=/src=. --remap-path-prefix=/usr/local/cargo=cargo"
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,id=bigip-tunnel-target-${TARGETARCH} \
    export BIGIP_TUNNEL_COMMIT="${COMMIT}" \
    && cargo auditable build --release --locked --package bigip-tunnel-operator \
    && install -D target/release/bigip-tunnel-operator /bigip-tunnel-operator

FROM scratch AS prebuilt
ARG TARGETARCH
COPY --chmod=0755 dist/linux-${TARGETARCH}/bigip-tunnel-operator /bigip-tunnel-operator

# One of the two stages above.
FROM ${SOURCE} AS program

# Runs on the machine that builds, whatever the image is for: it copies the program, and adds the certificate authorities
# of the public internet (for tls.verification Full without a CA bundle) and the user 65532.
FROM --platform=${BUILDPLATFORM} rust:1.95-alpine3.23 AS files
# hadolint ignore=DL3018
RUN apk add --no-cache gcc linux-headers musl-dev
WORKDIR /src
COPY . .
COPY --from=program /bigip-tunnel-operator /program/bigip-tunnel-operator
ARG BUILDARCH
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,id=bigip-tunnel-files-${BUILDARCH} \
    cargo run --locked --package bigip-tunnel-image --bin image -- \
    root --program /program/bigip-tunnel-operator --output /image

FROM scratch
ARG VERSION
ARG COMMIT
LABEL org.opencontainers.image.title="bigip-tunnel-operator" \
      org.opencontainers.image.description="Keeps the FDB records of F5 BIG-IPs in step with the nodes of a Cilium cluster" \
      org.opencontainers.image.source="https://github.com/bigip-tunnel/operator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}"
COPY --from=files /image/ /
# A number, so that Kubernetes can tell that it is not root (runAsNonRoot).
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/bigip-tunnel-operator"]

# syntax=docker/dockerfile:1
#
#   docker build -t weir .
#   docker run -d --name weir --network host --cap-add NET_ADMIN --read-only --tmpfs /run/weir:uid=65532 weir
#   docker exec weir /weir query --by local.ip --last 10m
#
# --network host: the connection table belongs to a network namespace, and the interesting one is the host's.
#
# --cap-add NET_ADMIN with a user that is not root: docker puts the capability into the bounding set of the
# container, but a process of another user than root starts with none. What gives it back is a capability on
# the file, set in the build stage. BuildKit (the builder of docker since 23.0) carries it through
# COPY --from: it copies extended attributes after it has set owner and mode. The legacy builder and kaniko lose it; then weir says that it lacks CAP_NET_ADMIN, and
# `--user 0` helps. Two consequences:
#   - without --cap-add NET_ADMIN the kernel refuses to start the file ("operation not permitted"), for
#     /weir query too, since the file asks for what the container may not have;
#   - with --security-opt no-new-privileges (Kubernetes: allowPrivilegeEscalation: false) capabilities of
#     files are ignored; use `--user 0 --cap-drop ALL --cap-add NET_ADMIN` there.
#
# docker mounts /proc/sys read-only, so weir cannot switch accounting on: do it on the host,
#   sysctl -w net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1
# (`weir check` in the container says what is missing).

FROM golang:1.26-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends libcap2-bin && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# FEATURES="sources_conntrack columns" links these extensions alone; see features/.
ARG FEATURES=""
RUN make build FEATURES="$FEATURES" && setcap cap_net_admin+ep weir && mkdir -p /out/run/weir /out/var/lib/weir

FROM scratch
COPY --from=build /src/weir /weir
COPY --from=build --chown=65532:65532 /out/ /
# A number, since scratch has no /etc/passwd.
USER 65532:65532
VOLUME /var/lib/weir
ENV WEIR_SOCKET=/run/weir/weir.sock
ENTRYPOINT ["/weir"]
CMD ["run"]

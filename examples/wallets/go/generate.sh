#!/bin/sh
# Go code of the protocol and of the wallets, into gen/. Needs protoc, and the two plugins of go.mod's versions in bin/.
# PROTO: the folder with cloudstate/ and google/api/: api/proto of this repository, or node_modules/mecha-sdk/proto elsewhere.
set -eu
proto=${PROTO:-../../../api/proto}
gen=example.com/wallets/gen
map=""
for file in entity entity_key event_sourced; do
  package=cloudstate
  [ "$file" = event_sourced ] && package=eventsourced
  map="$map,Mcloudstate/$file.proto=$gen/$package"
done
api=google.golang.org/genproto/googleapis/api/annotations
map="$map,Mgoogle/api/annotations.proto=$api,Mgoogle/api/http.proto=$api"

GOBIN=$PWD/bin go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.33.0
GOBIN=$PWD/bin go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.3.0
PATH=$PWD/bin:$PATH protoc -I "$proto" -I ../proto \
  --go_out=. --go_opt="module=example.com/wallets$map" \
  --go-grpc_out=. --go-grpc_opt="module=example.com/wallets$map" \
  cloudstate/entity.proto cloudstate/entity_key.proto cloudstate/event_sourced.proto wallets.proto

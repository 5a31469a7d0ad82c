#!/bin/sh
# Regenerates doris/thriftgen from the .thrift files beside this script. Needs the Apache Thrift compiler 0.17
# (Debian: apt-get install thrift-compiler); the output is committed, so only a change of the IDL needs it.
set -eu

idl=$(cd "$(dirname "$0")" && pwd)
out=$(dirname "$idl")/thriftgen
want=0.17.0

have=$(thrift --version | sed 's/^Thrift version //')
if [ "$have" != "$want" ]; then
	echo "generate.sh: Thrift compiler $want is needed for reproducible output, found $have" >&2
	exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for service in FrontendService BackendService; do
	thrift -r -I "$idl" -out "$work" \
		--gen go:package_prefix=github.com/doris-ccr/ccr/doris/thriftgen/,thrift_import=github.com/apache/thrift/lib/go/thrift,skip_remote \
		"$idl/$service.thrift"
done
gofmt -w "$work"

rm -rf "$out"
mkdir -p "$out"
cp -R "$work"/. "$out"/

#!/bin/sh
# Waits for the Temporal server and makes the namespace of the jobs.
set -eu
export TEMPORAL_ADDRESS=temporal:7233
namespace=${CCR_TEMPORAL_NAMESPACE:-default}

until temporal operator cluster health; do sleep 1; done
temporal operator namespace describe --namespace "$namespace" ||
  temporal operator namespace create --namespace "$namespace" --retention 168h

// Package check tests what deploy/ holds without an engine: the Compose file
// against its schema, the Helm chart rendered by Helm's own engine, the queries of alerts and
// dashboard parsed, systemd units and the Dockerfile's build steps.
package check

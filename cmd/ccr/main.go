// Command ccr replicates databases and tables between Apache Doris clusters.
// Its processes are equal and keep no state: a Temporal cluster remembers every
// job. ccr-standalone is the same with everything in one process.
package main

import (
	"os"

	"github.com/doris-ccr/ccr/cli"
)

// version is stamped by the Makefile: "<tag>:<commit>".
var version string

func main() { os.Exit(cli.Main(cli.CCR(version, os.Environ()).Root())) }

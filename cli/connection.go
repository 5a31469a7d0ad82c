package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/doris-ccr/ccr/client"
)

const (
	// tokenEnv holds the token for a server: command lines can be read by others.
	tokenEnv = "CCR_TOKEN"
	// defaultAPI is where a server on this machine listens.
	defaultAPI = "http://127.0.0.1:9190"
)

// connection says which server a command asks.
type connection struct {
	environ []string
	now     func() time.Time

	api, ca, tokenFile, context string
	// warnings is where a person reads what is not safe; nil before bindServer.
	warnings func() io.Writer
}

func (p Program) connection() *connection {
	c := &connection{environ: p.Environ, now: p.now}
	if c.now == nil {
		c.now = time.Now
	}
	return c
}

// bind adds the flags to a command and those below it.
func (c *connection) bind(cmd *cobra.Command, flags *pflag.FlagSet) {
	c.bindServer(cmd, flags)
	flags.StringVar(&c.api, "api", "", "address of an API server; default "+defaultAPI+" (environment "+apiEnv+")")
	flags.StringVar(&c.ca, "ca-file", "", "PEM file of the authority that signed the API server's certificate; empty for the system's (environment "+caFileEnv+")")
}

// bindServer adds the flags beside --api and --ca-file, which some commands have always had.
func (c *connection) bindServer(cmd *cobra.Command, flags *pflag.FlagSet) {
	c.warnings = cmd.ErrOrStderr
	flags.StringVar(&c.context, "context", "", "context that says which server to ask, see ccr context (environment "+contextEnv+")")
	flags.StringVar(&c.tokenFile, "token-file", "", "file with the token for the API server (environment "+tokenFileEnv+"; the token itself: "+tokenEnv+")")
	_ = cmd.RegisterFlagCompletionFunc("context", c.completeContexts) // the flag exists
}

// server settles which server to ask. Flags win over the environment, which wins over
// contexts. A context is not looked at if the address is given otherwise: its token is
// for its own server.
func (c *connection) server() (client.Options, error) {
	env := func(flag, name string) string {
		if flag != "" {
			return flag
		}
		return valueOf(c.environ, name)
	}
	o := client.Options{Address: c.api, Token: valueOf(c.environ, tokenEnv), CAFile: env(c.ca, caFileEnv)}
	tokenFile := c.tokenFile
	switch {
	case tokenFile != "":
		o.Token = "" // a flag wins
	case o.Token == "":
		tokenFile = valueOf(c.environ, tokenFileEnv)
	}
	if c.api != "" && c.context != "" {
		return o, usageErrorf("--api and --context both say which server to ask: give one of them")
	}
	if o.Address == "" && c.context == "" {
		o.Address = valueOf(c.environ, apiEnv)
	}
	if o.Address == "" {
		from, err := c.chosen()
		if err != nil {
			return o, err
		}
		o.Address = from.API
		if o.CAFile == "" {
			o.CAFile = from.CAFile
		}
		if o.Token == "" && tokenFile == "" {
			o.Token, tokenFile = from.Token, from.TokenFile
		}
	}
	if o.Address == "" {
		o.Address = defaultAPI
	}
	if tokenFile != "" {
		token, err := readSecret(tokenFile)
		if err != nil {
			return o, usageErrorf("read the token: %w", err)
		}
		o.Token = token
	}
	return o, nil
}

// chosen is the context that was named, else the current one; the zero value if there is
// none.
func (c *connection) chosen() (serverContext, error) {
	all, err := loadContexts(c.environ)
	if err != nil {
		return serverContext{}, err
	}
	name := c.context
	if name == "" {
		name = valueOf(c.environ, contextEnv)
	}
	if name == "" {
		name = all.Current
	}
	if name == "" {
		return serverContext{}, nil
	}
	return all.find(name)
}

// client returns a client of the server.
func (c *connection) client() (*client.Client, error) {
	o, err := c.server()
	if err != nil {
		return nil, err
	}
	asker, err := client.New(o)
	if err != nil {
		return nil, &statusError{err, exitUsage}
	}
	if asker.ClearToken() && c.warnings != nil {
		fmt.Fprintf(c.warnings(), "warning: the token is sent to %s without TLS: whoever listens in between can use it\n", asker.Address())
	}
	return asker, nil
}

// readSecret reads a token or password from a file that only its owner may read.
func readSecret(path string) (string, error) {
	if err := ownersOnly(path); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return trimLine(text), nil
}

// trimLine takes the end of the line off, and nothing else: a password may begin or end
// with blanks.
func trimLine(text []byte) string { return strings.TrimRight(string(text), "\r\n") }

// Package schematest has texts that a real Doris frontend gave out, for tests.
package schematest

import (
	"embed"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

//go:embed *.json
var files embed.FS

var created = regexp.MustCompile("^CREATE [A-Z ]*`((?:[^`]|``)+)`")

// ShowCreate are the SHOW CREATE texts, by the object's name.
func ShowCreate(t *testing.T) map[string]string {
	t.Helper()
	var rows []struct{ SQL, Text string }
	read(t, "show_create.real.json", &rows)
	texts := map[string]string{}
	for _, row := range rows {
		name := created.FindStringSubmatch(row.Text)
		require.NotNil(t, name, row.Text)
		texts[strings.ReplaceAll(name[1], "``", "`")] = row.Text
	}
	return texts
}

// DDL are the payloads of binlogs that the frontend recorded, by the statement.
func DDL(t *testing.T) map[string]string {
	t.Helper()
	var rows []struct {
		SQL  string
		Data json.RawMessage
	}
	read(t, "ddl.real.json", &rows)
	payloads := map[string]string{}
	for _, row := range rows {
		payloads[row.SQL] = string(row.Data)
	}
	return payloads
}

func read(t *testing.T, name string, to any) {
	t.Helper()
	data, err := files.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, to))
}

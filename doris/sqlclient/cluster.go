package sqlclient

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"

	"github.com/doris-ccr/ccr/doris/meta"
)

// Frontends lists the cluster's frontends by the addresses that the cluster
// itself uses: they may need a host mapping.
func (c *Client) Frontends(ctx context.Context) ([]meta.Frontend, error) {
	const statement = "SHOW FRONTENDS"
	rows, err := c.Query(ctx, statement)
	if err != nil {
		return nil, err
	}
	frontends := make([]meta.Frontend, 0, len(rows))
	for _, row := range rows {
		f := meta.Frontend{
			Host: row.Get("Host"), Port: int(row.Int("QueryPort")), ThriftPort: int(row.Int("RpcPort")),
			IsMaster: row.Bool("IsMaster"),
		}
		if f.Host == "" || f.Port == 0 || f.ThriftPort == 0 {
			return nil, fmt.Errorf("%s: a frontend has no host or port: %w", statement, ErrIncomplete)
		}
		frontends = append(frontends, f)
	}
	if len(frontends) == 0 {
		return nil, fmt.Errorf("%s: no rows: %w", statement, ErrIncomplete)
	}
	return frontends, nil
}

// Backends lists the cluster's backends by the addresses that the cluster itself
// uses.
func (c *Client) Backends(ctx context.Context) ([]meta.Backend, error) {
	const statement = "SHOW BACKENDS"
	rows, err := c.Query(ctx, statement)
	if err != nil {
		return nil, err
	}
	backends := make([]meta.Backend, 0, len(rows))
	for _, row := range rows {
		b := meta.Backend{
			ID: row.Int("BackendId"), Host: row.Get("Host"), Port: int(row.Int("BePort")),
			HTTPPort: int(row.Int("HttpPort")), Alive: row.Bool("Alive"),
		}
		if b.ID == 0 || b.Host == "" {
			return nil, fmt.Errorf("%s: a backend has no id or host: %w", statement, ErrIncomplete)
		}
		backends = append(backends, b)
	}
	if len(backends) == 0 {
		return nil, fmt.Errorf("%s: no rows: %w", statement, ErrIncomplete)
	}
	return backends, nil
}

// configPrefixes are what a frontend may print before the name of a config, by
// how mature the config is (doris-sql.md 2.5).
var configPrefixes = []string{"", "experimental_", "deprecated_"}

// FrontendConfig returns the value of a frontend's config, by whichever of its
// forms the frontend knows it; ok is false if it knows none.
func (c *Client) FrontendConfig(ctx context.Context, key string) (value string, ok bool, err error) {
	rows, err := c.Query(ctx, "ADMIN SHOW FRONTEND CONFIG LIKE "+quoteLike("%"+key))
	if err != nil {
		return "", false, err
	}
	for _, prefix := range configPrefixes {
		for _, row := range rows { // the pattern matches others as well
			if row.Get("Key") == prefix+key {
				return row.Get("Value"), true, nil
			}
		}
	}
	return "", false, nil
}

// maxConfigReply bounds what is read of a backend's answer, in bytes.
const maxConfigReply = 1 << 20

// BackendBinlogEnabled asks a backend over HTTP whether it keeps binlogs
// (doris-sql.md 2.5).
func BackendBinlogEnabled(ctx context.Context, client *http.Client, host string, httpPort int) (bool, error) {
	const item = "enable_feature_binlog"
	addr := net.JoinHostPort(host, strconv.Itoa(httpPort))
	fail := func(err error) (bool, error) {
		return false, fmt.Errorf("ask backend %s for %s: %w", addr, item, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/api/show_config?conf_item="+item, nil)
	if err != nil {
		return fail(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = resp.Body.Close() }() // the body has been read
	if resp.StatusCode != http.StatusOK {
		return fail(fmt.Errorf("status %s", resp.Status))
	}
	var rows [][]any // name, type, value, is mutable
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxConfigReply)).Decode(&rows); err != nil {
		return fail(err)
	}
	if len(rows) != 1 || len(rows[0]) < 3 {
		return fail(fmt.Errorf("%d rows: %w", len(rows), ErrIncomplete))
	}
	switch fmt.Sprint(rows[0][2]) {
	case "true", "1":
		return true, nil
	}
	return false, nil
}

package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// CCR is a ccr-standalone process and a client of its HTTP interface.
type CCR struct {
	DataDir  string
	API      string // host:port
	Temporal string // host:port
	UI       string // host:port, "" = off
	// Token is sent with every request, if there is one.
	Token string
	// Args and Env are given to the process in addition.
	Args, Env []string

	process *Process
	http    http.Client
}

// NewCCR chooses ports for a ccr-standalone that keeps its data in dir. With
// ui, the Web UI runs too.
func NewCCR(dir string, ui bool) (*CCR, error) {
	ports, err := FreePorts(3)
	if err != nil {
		return nil, err
	}
	local := func(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }
	c := &CCR{DataDir: dir, API: local(ports[0]), Temporal: local(ports[1])}
	if ui {
		c.UI = local(ports[2])
	}
	c.http.Timeout = 60 * time.Second
	return c, nil
}

// readyWithin bounds the start of ccr-standalone, Temporal included.
const readyWithin = 90 * time.Second

// Start runs the process and waits until its API answers.
func (c *CCR) Start(ctx context.Context) error {
	path, err := Binary("ccr-standalone")
	if err != nil {
		return err
	}
	args := append([]string{
		"--data-dir", c.DataDir, "--listen", c.API, "--temporal-listen", c.Temporal, "--ui-listen", c.UI,
	}, c.Args...)
	c.process, err = StartProcess("ccr-standalone", path, filepath.Join(c.DataDir, "ccr.log"), c.Env, args...)
	if err != nil {
		return err
	}
	return Await(ctx, readyWithin, func(ctx context.Context) error {
		if c.process.Exited() {
			return fmt.Errorf("ccr-standalone has ended: %w; its last lines:\n%s", ErrGiveUp, c.process.Tail(40))
		}
		_, err := c.Call(ctx, "version", nil)
		return err
	})
}

// Process is the running process.
func (c *CCR) Process() *Process { return c.process }

// Kill ends the process as a crash would.
func (c *CCR) Kill() { c.process.Kill() }

// Stop ends it gracefully.
func (c *CCR) Stop() error {
	if c.process == nil || c.process.Exited() {
		return nil
	}
	return c.process.Stop(40 * time.Second)
}

// Raw posts a body as curl would and returns status, body.
func (c *CCR) Raw(ctx context.Context, operator, body string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.API+"/"+operator, strings.NewReader(body))
	if err != nil {
		return 0, "", fmt.Errorf("%s: %w", operator, err)
	}
	req.Header.Set("Content-Type", "application/json")
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("%s: %w", operator, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, "", fmt.Errorf("%s: %w", operator, err)
	}
	return resp.StatusCode, string(b), nil
}

// Call posts a JSON object and returns the reply; success false is an error
// that carries error_msg.
func (c *CCR) Call(ctx context.Context, operator string, body map[string]any) (map[string]any, error) {
	if body == nil {
		body = map[string]any{}
	}
	b, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", operator, err)
	}
	code, text, err := c.Raw(ctx, operator, string(b))
	if err != nil {
		return nil, err
	}
	var reply map[string]any
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	if err := dec.Decode(&reply); err != nil {
		return nil, fmt.Errorf("%s: HTTP %d, not JSON: %q", operator, code, text)
	}
	if ok, said := reply["success"].(bool); said && !ok {
		return reply, fmt.Errorf("%s: %v", operator, reply["error_msg"])
	}
	return reply, nil
}

// Status is what job_status says, in its status object.
type Status struct {
	State         string `json:"state"`
	ProgressState string `json:"progress_state"`
	CommitSeq     int64  `json:"commit_seq"`
	Phase         string `json:"phase"`
	Stalled       bool   `json:"stalled"`
	LastError     struct {
		Text   string `json:"text"`
		Remedy string `json:"remedy"`
	} `json:"last_error"`
	FullSyncs    int64  `json:"full_syncs"`
	PartialSyncs int64  `json:"partial_syncs"`
	Differences  []Told `json:"differences"`
	Comparing    struct {
		NotCompared []struct {
			Table string `json:"table"`
			Text  string `json:"text"`
		} `json:"not_compared"`
	} `json:"comparing"`
}

// Told is a difference that a job has found.
type Told struct {
	Table string `json:"table"`
	Kind  string `json:"kind"`
	Text  string `json:"text"`
}

// Status asks job_status.
func (c *CCR) Status(ctx context.Context, job string) (Status, error) {
	var s Status
	code, text, err := c.Raw(ctx, "job_status", fmt.Sprintf(`{"name":%q}`, job))
	if err != nil {
		return s, err
	}
	var reply struct {
		Success  bool   `json:"success"`
		ErrorMsg string `json:"error_msg"`
		Status   Status `json:"status"`
	}
	if err := json.Unmarshal([]byte(text), &reply); err != nil {
		return s, fmt.Errorf("job_status: HTTP %d, not JSON: %q", code, text)
	}
	if !reply.Success {
		return s, fmt.Errorf("job_status: %s", reply.ErrorMsg)
	}
	return reply.Status, nil
}

// Progress is what job_progress says of the snapshots of a job.
type Progress struct {
	FullSyncs       int64     `json:"full_syncs"`
	PartialSyncs    int64     `json:"partial_syncs"`
	FullSyncAt      int64     `json:"full_sync_start_at"`    // Unix seconds
	PartialSyncAt   int64     `json:"partial_sync_start_at"` // Unix seconds, 0 never
	FullSyncInfo    SyncInfo  `json:"full_sync_info"`
	PartialSyncInfo *SyncInfo `json:"partial_sync_info"` // nil before the first partial sync
}

// SyncInfo is why and where a full or partial sync began.
type SyncInfo struct {
	CommitSeq int64  `json:"commit_seq"`
	Table     string `json:"table"` // of a partial sync
	Info      string `json:"info"`
}

// Progress asks job_progress.
func (c *CCR) Progress(ctx context.Context, job string) (Progress, error) {
	var reply struct {
		Success  bool     `json:"success"`
		ErrorMsg string   `json:"error_msg"`
		Progress Progress `json:"job_progress"`
	}
	code, text, err := c.Raw(ctx, "job_progress", fmt.Sprintf(`{"name":%q}`, job))
	if err != nil {
		return Progress{}, err
	}
	if err := json.Unmarshal([]byte(text), &reply); err != nil {
		return Progress{}, fmt.Errorf("job_progress: HTTP %d, not JSON: %q", code, text)
	}
	if !reply.Success {
		return Progress{}, fmt.Errorf("job_progress: %s", reply.ErrorMsg)
	}
	return reply.Progress, nil
}

// Int reads a number out of a reply by its path, e.g. Int(reply, "job_progress", "commit_seq").
func Int(reply map[string]any, path ...string) int64 {
	var v any = reply
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return 0
		}
		v = m[key]
	}
	if n, ok := v.(json.Number); ok {
		i, _ := n.Int64()
		return i
	}
	return 0
}

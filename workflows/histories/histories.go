// Package histories records what happened in a running job, so that later
// versions of the workflow can be tested against it: the replay test of package
// workflows replays every file in workflows/testdata/histories.
//
// A recorded history is a promise: jobs with such a past exist, and their
// workflow must still run. Files are added, and only removed with the
// workflow.GetVersion branch that keeps them alive.
package histories

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/encoding/protojson"
)

// Record writes the history of one run to path, compressed if the name ends in
// .gz. An empty runID means the current run. The run may go on: a history that
// ends in the middle is a good test, too.
func Record(ctx context.Context, c client.Client, workflowID, runID, path string) error {
	history := &historypb.History{}
	events := c.GetWorkflowHistory(ctx, workflowID, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return fmt.Errorf("read history of %s: %w", workflowID, err)
		}
		history.Events = append(history.Events, event)
	}
	text, err := protojson.Marshal(history)
	if err != nil {
		return fmt.Errorf("encode history of %s: %w", workflowID, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("record history of %s: %w", workflowID, err)
	}
	if err := write(path, text); err != nil {
		return fmt.Errorf("record history of %s: %w", workflowID, err)
	}
	return nil
}

func write(path string, text []byte) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	if !strings.HasSuffix(path, ".gz") {
		_, err = f.Write(text)
		return err
	}
	z := gzip.NewWriter(f)
	if _, err = z.Write(text); err != nil {
		return err
	}
	return z.Close()
}

// Load reads a history that Record wrote.
func Load(path string) (*historypb.History, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var text io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		text = z
	}
	h, err := client.HistoryFromJSON(text, client.HistoryJSONOptions{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return h, nil
}

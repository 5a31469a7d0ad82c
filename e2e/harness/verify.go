package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/doris-ccr/ccr/job"
)

// Verify starts the verification of a job and returns the id of its report.
func (c *CCR) Verify(ctx context.Context, name string, request job.VerifyRequest) (string, error) {
	return c.startVerification(ctx, "verify", name, request)
}

// Repair starts the repair of what a report has found and returns the id of its own
// report.
func (c *CCR) Repair(ctx context.Context, name, report string, dryRun bool) (string, error) {
	return c.startVerification(ctx, "repair", name, map[string]any{"report": report, "dry_run": dryRun})
}

func (c *CCR) startVerification(ctx context.Context, operator, name string, request any) (string, error) {
	b, err := json.Marshal(request)
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", operator, name, err)
	}
	var body map[string]any
	if err := json.Unmarshal(b, &body); err != nil {
		return "", fmt.Errorf("%s %s: %w", operator, name, err)
	}
	for _, key := range []string{"hold", "query_timeout"} {
		if ns, is := body[key].(float64); is {
			body[key] = time.Duration(ns).String()
		}
	}
	body["name"] = name
	reply, err := c.Call(ctx, operator, body)
	if err != nil {
		return "", err
	}
	id, ok := reply["report"].(string)
	if !ok {
		return "", fmt.Errorf("%s %s: the reply names no report: %v", operator, name, reply)
	}
	return id, nil
}

// VerifyReport asks for the newest report of a job.
func (c *CCR) VerifyReport(ctx context.Context, name string) (job.VerifyReport, error) {
	code, text, err := c.Raw(ctx, "verify_status", fmt.Sprintf(`{"name":%q}`, name))
	if err != nil {
		return job.VerifyReport{}, err
	}
	var reply struct {
		Success  bool             `json:"success"`
		ErrorMsg string           `json:"error_msg"`
		Report   job.VerifyReport `json:"report"`
	}
	if err := json.Unmarshal([]byte(text), &reply); err != nil {
		return job.VerifyReport{}, fmt.Errorf("verify_status: HTTP %d, %w: %q", code, err, text)
	}
	if !reply.Success {
		return job.VerifyReport{}, fmt.Errorf("verify_status: %s", reply.ErrorMsg)
	}
	return reply.Report, nil
}

// AwaitVerified waits until the verification with this report has ended.
func (c *CCR) AwaitVerified(ctx context.Context, name, id string, limit time.Duration) (job.VerifyReport, error) {
	var report job.VerifyReport
	err := AwaitEvery(ctx, 300*time.Millisecond, limit, func(ctx context.Context) error {
		var err error
		report, err = c.VerifyReport(ctx, name)
		switch {
		case err != nil:
			return err
		case report.ID != id:
			return fmt.Errorf("the newest report of %s is %s, not %s", name, report.ID, id)
		case report.EndedAt.IsZero():
			return fmt.Errorf("the verification of %s is %s at %q: %s", name, report.State, report.Doing, report.Error)
		}
		return nil
	})
	return report, err
}

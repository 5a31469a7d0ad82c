package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
)

// unknownJob is how this form says that there is no such job (http-api.md 1.1).
var unknownJob = regexp.MustCompile(`^job \S+ not exist$`)

// Operate asks an endpoint of the form that scripts know (success and error_msg), and reads
// the reply into out. role is what the token has to permit. A reply that is not a success
// is an error with its text.
func (c *Client) Operate(ctx context.Context, path, role string, body, out any) error {
	fail := func(err error) error { return fmt.Errorf("ask %s%s: %w", c.base, path, err) }
	status, said, err := c.send(ctx, http.MethodPost, path, body)
	if err != nil {
		var unreachable *UnreachableError
		if errors.As(err, &unreachable) {
			unreachable.Address += path
		}
		return err
	}
	var reply struct {
		Success  bool   `json:"success"`
		ErrorMsg string `json:"error_msg"`
	}
	switch err := json.Unmarshal(said, &reply); {
	case err != nil:
		return fail(fmt.Errorf("%d %s, and not an answer of ccr", status, http.StatusText(status)))
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return &Error{Address: c.base + path, Path: path, Status: status, Role: role, Text: reply.ErrorMsg}
	case !reply.Success && unknownJob.MatchString(reply.ErrorMsg):
		return fail(&Error{Address: c.base, Path: path, Status: http.StatusNotFound, Role: role, Text: reply.ErrorMsg})
	case !reply.Success:
		return fail(errors.New(reply.ErrorMsg))
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(said, out); err != nil {
		return fail(fmt.Errorf("read the answer: %w", err))
	}
	return nil
}

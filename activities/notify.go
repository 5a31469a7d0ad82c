package activities

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/doris-ccr/ccr/job"
)

// Webhook is where changes of jobs' states are told.
type Webhook struct {
	// URL gets a POST for each notice; empty: nobody is told.
	URL string
	// Secret signs the bodies; empty: they are not signed.
	Secret string
	// Client is for tests; nil is one with a timeout.
	Client *http.Client
}

const (
	// webhookTimeout bounds one request.
	webhookTimeout = 10 * time.Second
	// maxReply bounds what is read of a receiver's reply, in bytes.
	maxReply = 4 << 10

	headerEvent     = "X-Ccr-Event"
	headerDelivery  = "X-Ccr-Delivery"
	headerSignature = "X-Ccr-Signature-256"
)

// Notify tells the webhook of one notice. Any answer but 2xx is an error, and
// the server has it tried again. Errors name the host and never the whole
// address, which may hold a token.
func (a *Activities) Notify(ctx context.Context, n job.Notice) error {
	if a.Webhook.URL == "" {
		return nil // this worker has none
	}
	target, err := url.Parse(a.Webhook.URL)
	if err != nil {
		return errors.New("webhook: the address cannot be read")
	}
	body, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("webhook: encode notice: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("webhook %s: the request cannot be made", target.Host)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "ccr")
	req.Header.Set(headerEvent, n.Event)
	req.Header.Set(headerDelivery, n.ID)
	if a.Webhook.Secret != "" {
		req.Header.Set(headerSignature, "sha256="+sign(a.Webhook.Secret, body))
	}
	client := a.Webhook.Client
	if client == nil {
		client = &http.Client{Timeout: webhookTimeout}
	}
	resp, err := client.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // without the address
		}
		return fmt.Errorf("webhook %s: %w", target.Host, err)
	}
	defer func() { _ = resp.Body.Close() }() // its status is all that matters
	_, _ = io.CopyN(io.Discard, resp.Body, maxReply)
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("webhook %s: answered %s", target.Host, resp.Status)
	}
	return nil
}

// sign is the HMAC-SHA256 of a body in hex.
func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

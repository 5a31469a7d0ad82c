package apiserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/doris-ccr/ccr/job"
)

// CreateBody is a body of /create_ccr for those who look at it without the HTTP
// interface.
type CreateBody struct {
	// Spec is validated; it has no passwords, UID and time.
	Spec job.Spec
	// SourcePassword and DestinationPassword are clear text: keep them in memory.
	SourcePassword, DestinationPassword string
	// Ignored tells of what /create_ccr passes over: keys that it does not know,
	// misspelt ones mostly, or a second body; "" if there is nothing.
	Ignored string
}

// ReadCreateBody reads a body of /create_ccr. Its errors have the texts of the
// interface and never show a value of the body.
func ReadCreateBody(body []byte) (CreateBody, error) {
	var request createRequest
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&request); err != nil {
		return CreateBody{}, fmt.Errorf("read the body of create_ccr: %w", inJSONWords(err))
	}
	spec, err := request.spec()
	if err != nil {
		return CreateBody{}, err
	}
	read := CreateBody{Spec: spec, SourcePassword: request.Src.Password, DestinationPassword: request.Dest.Password}
	read.Ignored = strings.Join(passedOver(body), "; ")
	return read, nil
}

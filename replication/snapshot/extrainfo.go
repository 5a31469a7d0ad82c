package snapshot

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
)

// keyExtraInfo is the key of what addExtraInfo adds.
const keyExtraInfo = "extra_info"

// addExtraInfo inserts the addresses and the token with which the destination
// fetches the tablets (doris-rpc.md 5.4). Everything else keeps its bytes: the
// ids are 64 bits wide and later servers add keys of their own. The hosts of the
// backends must already be mapped to what the destination can reach. The result is
// compressed if that is wanted.
func (c *snapshotContent) addExtraInfo(info fe.Blob, backends []meta.Backend, token string, packed bool) (fe.Blob, error) {
	extra, err := extraInfo(backends, token)
	if err != nil {
		return fe.Blob{}, err
	}
	if c.extra {
		return replaceExtraInfo(info, extra)
	}
	var out bytes.Buffer
	if !packed {
		out.Grow(info.PlainSize() + len(extra) + bytes.MinRead)
		err = insertExtraInfo(&out, info, extra)
		return fe.PlainBlob(out.Bytes()), err
	}
	w := gzip.NewWriter(&out)
	if err := insertExtraInfo(w, info, extra); err != nil {
		return fe.Blob{}, err
	}
	if err := w.Close(); err != nil {
		return fe.Blob{}, fmt.Errorf("compress the job info: %w", err)
	}
	return fe.PackedBlob(out.Bytes()), nil
}

func extraInfo(backends []meta.Backend, token string) ([]byte, error) {
	type address struct {
		IP   string `json:"ip"`
		Port int    `json:"port"`
	}
	network := make(map[string]address, len(backends))
	for _, b := range backends {
		network[strconv.FormatInt(b.ID, 10)] = address{IP: b.Host, Port: b.HTTPPort}
	}
	extra, err := json.Marshal(map[string]any{"be_network_map": network, "token": token})
	if err != nil {
		return nil, fmt.Errorf("encode extra_info: %w", err)
	}
	return extra, nil
}

// insertExtraInfo copies an object that has no such key and gives it one, in front of its
// last brace.
func insertExtraInfo(w io.Writer, info fe.Blob, extra []byte) error {
	r, err := info.Reader()
	if err != nil {
		return fmt.Errorf("read the job info of the snapshot: %w", err)
	}
	body := &withoutEnd{w: w}
	if _, err := io.Copy(body, r); err != nil {
		return fmt.Errorf("copy the job info of the snapshot: %w", err)
	}
	if len(body.end) == 0 || body.end[0] != '}' {
		return fmt.Errorf("copy the job info of the snapshot: %w", errJobInfo)
	}
	comma := ","
	if body.last == '{' {
		comma = "" // an empty object
	}
	if _, err := fmt.Fprintf(w, "%s%q:%s}", comma, keyExtraInfo, extra); err != nil {
		return fmt.Errorf("copy the job info of the snapshot: %w", err)
	}
	return nil
}

// withoutEnd passes on all but the last byte that is no white space, and what follows it.
type withoutEnd struct {
	w    io.Writer
	end  []byte // held back
	last byte   // passed on that is no white space
}

const whiteSpace = " \t\r\n"

// Write implements io.Writer.
func (e *withoutEnd) Write(p []byte) (int, error) {
	text := bytes.TrimRight(p, whiteSpace)
	if len(text) == 0 {
		e.end = append(e.end, p...)
		return len(p), nil
	}
	for _, part := range [][]byte{e.end, text[:len(text)-1]} {
		if seen := bytes.TrimRight(part, whiteSpace); len(seen) > 0 {
			e.last = seen[len(seen)-1]
		}
		if _, err := e.w.Write(part); err != nil {
			return 0, err
		}
	}
	e.end = append(e.end[:0], p[len(text)-1:]...)
	return len(p), nil
}

// replaceExtraInfo is the way for an object that has the key already, which no server is
// known to send.
func replaceExtraInfo(info fe.Blob, extra []byte) (fe.Blob, error) {
	raw, err := info.Plain()
	if err != nil {
		return fe.Blob{}, fmt.Errorf("read the job info of the snapshot: %w", err)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		return fe.Blob{}, fmt.Errorf("read the job info of the snapshot: %w", err)
	}
	object[keyExtraInfo] = extra
	edited, err := json.Marshal(object)
	if err != nil {
		return fe.Blob{}, fmt.Errorf("encode the job info: %w", err)
	}
	return fe.PlainBlob(edited), nil
}

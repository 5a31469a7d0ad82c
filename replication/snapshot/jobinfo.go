package snapshot

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
)

// snapshotContent is what a job needs to know of a backup's job info
// (doris-rpc.md 5.3).
type snapshotContent struct {
	Tables map[string]snapshotTable
	Views  map[string]int64 // name -> id
	// CommitSeqs are the barriers by source table id.
	CommitSeqs map[int64]int64
	// extra: there is extra_info, which usually the one who restores adds.
	extra bool
}

// snapshotTable is one backed-up table: its id and its partitions' ids by name.
type snapshotTable struct {
	ID         int64
	Partitions map[string]int64
}

// parseJobInfo reads the parts of the job info that name objects and positions. The
// rest, which tells of each tablet, is passed over: it never is in memory as a whole.
func parseJobInfo(info fe.Blob) (snapshotContent, error) {
	content := snapshotContent{Tables: map[string]snapshotTable{}, Views: map[string]int64{}}
	r, err := info.Reader()
	if err == nil {
		err = content.read(json.NewDecoder(r))
	}
	if err != nil {
		return snapshotContent{}, fmt.Errorf("read the job info of the snapshot: %w", err)
	}
	return content, nil
}

func (c *snapshotContent) read(d *json.Decoder) error {
	d.UseNumber()
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return errors.Join(errJobInfo, err)
	}
	err := eachIn(d, func(key string) error {
		switch key {
		case "backup_objects":
			return eachKey(d, func(name string) error {
				t, err := readTable(d)
				c.Tables[name] = t
				return err
			})
		case "new_backup_objects":
			var others struct {
				Views []struct {
					ID   int64  `json:"id"`
					Name string `json:"name"`
				} `json:"views"`
			}
			err := d.Decode(&others)
			for _, v := range others.Views {
				c.Views[v.Name] = v.ID
			}
			return err
		case "table_commit_seq_map":
			return d.Decode(&c.CommitSeqs)
		case keyExtraInfo:
			c.extra = true
		}
		return pass(d)
	})
	if err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.Join(errJobInfo, err)
	}
	return nil
}

func readTable(d *json.Decoder) (snapshotTable, error) {
	t := snapshotTable{Partitions: map[string]int64{}}
	err := eachKey(d, func(key string) error {
		switch key {
		case "id":
			return d.Decode(&t.ID)
		case "partitions":
			return eachKey(d, func(name string) error {
				var id int64
				err := eachKey(d, func(key string) error {
					if key == "id" {
						return d.Decode(&id)
					}
					return pass(d)
				})
				t.Partitions[name] = id
				return err
			})
		}
		return pass(d)
	})
	return t, err
}

// eachKey reads an object, or null: do has to read the value of each key.
func eachKey(d *json.Decoder, do func(key string) error) error {
	switch begin, err := d.Token(); {
	case err != nil:
		return err
	case begin == nil:
		return nil
	case begin != json.Delim('{'):
		return errJobInfo
	}
	return eachIn(d, do)
}

// eachIn reads the rest of an object that has begun.
func eachIn(d *json.Decoder, do func(key string) error) error {
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string) // the decoder lets nothing else through
		if err := do(name); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// pass reads a value that nobody needs.
func pass(d *json.Decoder) error {
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// errJobInfo marks a job info that is not the JSON object it has to be.
var errJobInfo = errors.New("it is not the JSON object that it has to be")

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

package snapshot

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/doris-ccr/ccr/doris/fe"
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

package be

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// downloads are tablet snapshots that a restore has fetched but not moved in.
type downloads struct {
	mu   sync.Mutex
	jobs map[int64]map[int64]*downloaded // job id -> tablet id
}

// downloaded is a local snapshot directory.
type downloaded struct {
	mu    sync.Mutex
	files map[string][]byte
	done  bool
}

// directory returns the local directory of a tablet for a job; a repeated
// download goes on in it.
func (d *downloads) directory(jobID, tabletID int64) *downloaded {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.jobs[jobID] == nil {
		d.jobs[jobID] = map[int64]*downloaded{}
	}
	dir := d.jobs[jobID][tabletID]
	if dir == nil {
		dir = &downloaded{files: map[string][]byte{}}
		d.jobs[jobID][tabletID] = dir
	}
	return dir
}

func (d *downloads) take(jobID, tabletID int64) (*downloaded, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir, ok := d.jobs[jobID][tabletID]
	if ok {
		delete(d.jobs[jobID], tabletID)
		if len(d.jobs[jobID]) == 0 {
			delete(d.jobs, jobID)
		}
	}
	return dir, ok
}

const snapshotPath = "/api/_tablet/_download"

// Download implements Tasks by the sequence of doris-rpc.md 4.4.
func (b *Backend) Download(ctx context.Context, d DownloadTask) error {
	p := b.process.Load()
	if p == nil {
		return b.up()
	}
	if err := b.cfg.Faults(FaultDownload); err != nil {
		return fmt.Errorf("download snapshot of tablet %d: %w", d.RemoteTabletID, err)
	}
	if _, err := b.tablet(d.TabletID); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()
	dir := b.downloads.directory(d.JobID, d.TabletID)
	dir.mu.Lock()
	defer dir.mu.Unlock()
	f := newFetcher(p, d.RemoteHost, strconv.Itoa(d.RemotePort), b.cfg.RetryPause)
	if err := dir.fetch(ctx, f, d); err != nil {
		return fmt.Errorf("download snapshot of tablet %d from %s:%d: %w", d.RemoteTabletID, d.RemoteHost, d.RemotePort, err)
	}
	return nil
}

// fetch makes the directory equal to the remote one. The caller holds mu.
func (d *downloaded) fetch(ctx context.Context, f *fetcher, task DownloadTask) error {
	query := func(file string, more ...string) url.Values {
		q := url.Values{"token": {task.Token}, "file": {file}, "channel": {"ingest_binlog"}}
		for _, k := range more {
			q.Set(k, "true")
		}
		return q
	}
	listing, err := f.text(ctx, snapshotPath, query(task.RemoteDir))
	if err != nil {
		return err
	}
	remote := map[string]bool{}
	for name := range strings.Lines(string(listing)) {
		name = strings.TrimSuffix(name, "\n")
		if name == "" || strings.Contains(name, "/") {
			return fmt.Errorf("listing of %s is no list of files", task.RemoteDir)
		}
		local := name
		if name == headerName(task.RemoteTabletID) {
			local = headerName(task.TabletID)
		}
		remote[local] = true
		file := path.Join(task.RemoteDir, name)
		a, err := f.head(ctx, snapshotPath, query(file, "acquire_md5"))
		if err != nil {
			return err
		}
		if have, ok := d.files[local]; ok && !strings.HasSuffix(name, ".hdr") && int64(len(have)) == a.size && hexMD5(have) == a.md5 {
			continue
		}
		content, err := f.file(ctx, snapshotPath, query(file, "acquire_md5"), a.size)
		if err != nil {
			return err
		}
		d.files[local] = content
	}
	for name := range d.files {
		if !remote[name] {
			delete(d.files, name)
		}
	}
	if !remote[headerName(task.TabletID)] {
		return fmt.Errorf("%s has no header file", task.RemoteDir)
	}
	d.done = true
	return nil
}

// MoveIn implements Tasks.
func (b *Backend) MoveIn(jobID, tabletID int64) error {
	t, err := b.tablet(tabletID)
	if err != nil {
		return err
	}
	dir, ok := b.downloads.take(jobID, tabletID)
	if !ok {
		return fmt.Errorf("move in tablet %d: nothing was downloaded by job %d", tabletID, jobID)
	}
	dir.mu.Lock()
	defer dir.mu.Unlock()
	if !dir.done {
		return fmt.Errorf("move in tablet %d: the download of job %d is not complete", tabletID, jobID)
	}
	t.mu.RLock()
	current := t.schema()
	t.mu.RUnlock()
	c, err := readSnapshot(dir.files, tabletID, current)
	if err != nil {
		return fmt.Errorf("move in tablet %d: %w", tabletID, err)
	}
	t.replace(c)
	b.txns.loseTablet(tabletID)
	return nil
}

// Discard implements Tasks.
func (b *Backend) Discard(jobID int64) {
	b.downloads.mu.Lock()
	defer b.downloads.mu.Unlock()
	delete(b.downloads.jobs, jobID)
}

// readSnapshot turns the files of a snapshot into the content of a tablet whose
// schema is current.
func readSnapshot(files map[string][]byte, tabletID int64, current *schema) (content, error) {
	var h header
	if err := json.Unmarshal(files[headerName(tabletID)], &h); err != nil {
		return content{}, fmt.Errorf("decode header: %w", err)
	}
	history, err := adoptHistory(h.History, current)
	if err != nil {
		return content{}, err
	}
	c := content{history: history}
	for i, r := range h.Rowsets {
		rs, err := readRowset(r.Meta, files, h.History, history)
		if err != nil {
			return content{}, err
		}
		if r.Base != (i == 0) {
			return content{}, errors.New("the header must have one base, at the beginning")
		}
		if r.Base {
			entries, err := rs.entries()
			if err != nil {
				return content{}, err
			}
			c.base = base{version: r.End, schema: rs.schema}
			c.base.rows, c.base.strays = splitStrays(ofVersion(entries, r.End))
			continue
		}
		if r.End != c.base.version+int64(len(c.rowsets))+1 {
			return content{}, fmt.Errorf("the header skips to version %d", r.End)
		}
		if len(r.Unmarked) > 0 {
			rs = rs.withUnmarked(r.Unmarked)
		}
		c.rowsets = append(c.rowsets, placed{version: r.End, rs: rs})
	}
	if c.base.schema == nil {
		return content{}, errors.New("the header has no rowsets")
	}
	if c.base.version+int64(len(c.rowsets)) != h.Version {
		return content{}, fmt.Errorf("the header promises version %d and has %d", h.Version, c.base.version+int64(len(c.rowsets)))
	}
	return c, nil
}

// ofVersion returns the entries of a base as rows of its last version: files do
// not tell which one wrote each.
func ofVersion(entries []entry, version int64) []entry {
	rows := slices.Clone(entries)
	for i := range rows {
		rows[i].version = version
	}
	return rows
}

// splitStrays takes the strays out of a base's entries.
func splitStrays(entries []entry) (rows, strays []entry) {
	isStray := func(e entry) bool { return e.stray }
	if !slices.ContainsFunc(entries, isStray) {
		return entries, nil
	}
	for _, e := range entries {
		if e.stray {
			strays = append(strays, e)
		} else {
			rows = append(rows, e)
		}
	}
	return rows, strays
}

// readRowset attaches a rowset's files to its meta.
func readRowset(encoded []byte, files map[string][]byte, remote []json.RawMessage, local []*schema) (*rowset, error) {
	meta, err := decodeMeta(encoded)
	if err != nil {
		return nil, err
	}
	s, err := counterpart(meta.Schema, remote, local)
	if err != nil {
		return nil, err
	}
	rs, err := rowsetFromMeta(meta, s)
	if err != nil {
		return nil, err
	}
	for i := range meta.Segments {
		segment, ok := files[rs.segmentName(i)]
		if !ok {
			return nil, fmt.Errorf("file %s is missing", rs.segmentName(i))
		}
		rs.segments = append(rs.segments, segment)
		if meta.Indexed {
			rs.indexFiles = append(rs.indexFiles, files[rs.indexName(i)])
		}
	}
	return rs, nil
}

// adoptHistory gives the remote tablet's schemas the column identities of the
// local one: the newest remote schema must fit current; columns that are gone
// get identities of their own.
func adoptHistory(remote []json.RawMessage, current *schema) ([]*schema, error) {
	if len(remote) == 0 {
		return nil, errors.New("the header has no schema")
	}
	decoded := make([]types.Schema, len(remote))
	for i := range remote {
		if err := json.Unmarshal(remote[i], &decoded[i]); err != nil {
			return nil, fmt.Errorf("decode schema %d of the header: %w", i, err)
		}
	}
	last := &decoded[len(decoded)-1]
	if err := sameLayout(last, &current.Schema); err != nil {
		return nil, err
	}
	ids := map[any]int32{}
	for i, id := range columnIDs(last) {
		ids[id] = current.Columns[current.ColumnIndex(last.Columns[i].Name)].UniqueID
	}
	history := make([]*schema, 0, len(decoded))
	for i := range decoded[:len(decoded)-1] {
		for j, id := range columnIDs(&decoded[i]) {
			local, ok := ids[id]
			if !ok {
				local = -1000 - int32(len(ids))
				ids[id] = local
			}
			decoded[i].Columns[j].UniqueID = local
		}
		s, err := newSchema(decoded[i])
		if err != nil {
			return nil, err
		}
		history = append(history, s)
	}
	// A schema object of its own: versions mean something else from now on.
	own, err := newSchema(current.Schema)
	if err != nil {
		return nil, err
	}
	return append(history, own), nil
}

// counterpart finds the local form of a remote schema.
func counterpart(encoded []byte, remote []json.RawMessage, local []*schema) (*schema, error) {
	for i := len(remote) - 1; i >= 0; i-- {
		if string(remote[i]) == string(encoded) {
			return local[i], nil
		}
	}
	return localSchema(local, encoded)
}

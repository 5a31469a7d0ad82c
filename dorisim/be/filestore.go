package be

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// fileStore is the part of the backend's disk that other backends may read by
// path: the snapshot directories below the storage root. Files share the bytes
// of the rowsets, as hard links do. Its work does not grow with the number of
// snapshots: a restore of many tablets makes one for each.
type fileStore struct {
	root string
	now  func() time.Time

	mu        sync.Mutex
	sequence  int64
	snapshots map[string]snapshotRoot      // by root path
	files     map[string]map[string][]byte // absolute directory -> file name -> content
	// parents counts the directories with files below each of their parents.
	parents map[string]int
	// soonest is when the first snapshot expires, or earlier.
	soonest time.Time
}

// snapshotRoot is one snapshot, whose files are in one directory.
type snapshotRoot struct {
	expires time.Time
	dir     string
}

func newFileStore(root string, now func() time.Time) *fileStore {
	return &fileStore{
		root: path.Clean(root), now: now,
		snapshots: map[string]snapshotRoot{}, files: map[string]map[string][]byte{}, parents: map[string]int{},
	}
}

// addSnapshot stores files below a new snapshot root, in the sub-directory sub,
// and returns the root (doris-rpc.md 5.3).
func (f *fileStore) addSnapshot(sub string, files map[string][]byte, timeout time.Duration) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sweep()
	now := f.now()
	f.sequence++
	name := fmt.Sprintf("%s.%d.%d", now.Format("20060102150405"), f.sequence, int64(timeout/time.Second))
	root := path.Join(f.root, "snapshot", name)
	s := snapshotRoot{expires: now.Add(timeout), dir: path.Join(root, sub)}
	if len(f.snapshots) == 0 || s.expires.Before(f.soonest) {
		f.soonest = s.expires
	}
	f.snapshots[root], f.files[s.dir] = s, files
	f.eachParent(s.dir, func(dir string) { f.parents[dir]++ })
	return root
}

// eachParent calls visit for the directories above dir, up to the storage root.
func (f *fileStore) eachParent(dir string, visit func(string)) {
	for f.allowed(dir) && dir != f.root {
		dir = path.Dir(dir)
		visit(dir)
	}
}

func (f *fileStore) remove(root string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(path.Clean(root))
}

// drop forgets a snapshot. The caller holds mu.
func (f *fileStore) drop(root string) {
	s, ok := f.snapshots[root]
	if !ok {
		return
	}
	delete(f.snapshots, root)
	delete(f.files, s.dir)
	f.eachParent(s.dir, func(dir string) {
		if f.parents[dir]--; f.parents[dir] == 0 {
			delete(f.parents, dir)
		}
	})
}

// sweep removes what has expired. The caller holds mu.
func (f *fileStore) sweep() {
	now := f.now()
	if len(f.snapshots) == 0 || !now.After(f.soonest) {
		return
	}
	first := true
	for root, s := range f.snapshots {
		switch {
		case now.After(s.expires):
			f.drop(root)
		case first || s.expires.Before(f.soonest):
			f.soonest, first = s.expires, false
		}
	}
}

// allowed tells whether a clean absolute path lies below the storage root.
func (f *fileStore) allowed(name string) bool {
	return name == f.root || strings.HasPrefix(name, f.root+"/")
}

// file returns a file's content.
func (f *fileStore) file(name string) ([]byte, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sweep()
	content, ok := f.files[path.Dir(name)][path.Base(name)]
	return content, ok
}

// list returns the plain files of a directory; ok is false if there is no such
// directory.
func (f *fileStore) list(dir string) (names []string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sweep()
	files, ok := f.files[dir]
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, ok || f.parents[dir] > 0 || dir == f.root || dir == path.Join(f.root, "snapshot")
}

// snapshotDir is the directory of a tablet below its snapshot root.
func snapshotDir(tabletID int64, schemaHash int32) string {
	return strconv.FormatInt(tabletID, 10) + "/" + strconv.FormatInt(int64(schemaHash), 10)
}

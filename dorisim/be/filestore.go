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
// of the rowsets, as hard links do.
type fileStore struct {
	root string
	now  func() time.Time

	mu        sync.Mutex
	sequence  int64
	snapshots map[string]*snapshotRoot // by root path
}

type snapshotRoot struct {
	expires time.Time
	dirs    map[string]map[string][]byte // absolute directory -> file name -> content
}

func newFileStore(root string, now func() time.Time) *fileStore {
	return &fileStore{root: path.Clean(root), now: now, snapshots: map[string]*snapshotRoot{}}
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
	f.snapshots[root] = &snapshotRoot{
		expires: now.Add(timeout),
		dirs:    map[string]map[string][]byte{path.Join(root, sub): files},
	}
	return root
}

func (f *fileStore) remove(root string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.snapshots, path.Clean(root))
}

// sweep removes what has expired. The caller holds mu.
func (f *fileStore) sweep() {
	now := f.now()
	for root, s := range f.snapshots {
		if now.After(s.expires) {
			delete(f.snapshots, root)
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
	for root, s := range f.snapshots {
		if strings.HasPrefix(name, root+"/") {
			content, ok := s.dirs[path.Dir(name)][path.Base(name)]
			return content, ok
		}
	}
	return nil, false
}

// list returns the plain files of a directory; ok is false if there is no such
// directory.
func (f *fileStore) list(dir string) (names []string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sweep()
	if dir == f.root || dir == path.Join(f.root, "snapshot") {
		return nil, true
	}
	for _, s := range f.snapshots {
		for d, files := range s.dirs {
			if d == dir {
				ok = true
				for name := range files {
					names = append(names, name)
				}
			} else if strings.HasPrefix(d, dir+"/") {
				ok = true
			}
		}
	}
	slices.Sort(names)
	return names, ok
}

// snapshotDir is the directory of a tablet below its snapshot root.
func snapshotDir(tabletID int64, schemaHash int32) string {
	return strconv.FormatInt(tabletID, 10) + "/" + strconv.FormatInt(int64(schemaHash), 10)
}

package activities

import (
	"container/list"
	"sync"

	"github.com/doris-ccr/ccr/job"
)

// knownEntries bounds the entries that a process keeps of all jobs: at some 150 bytes
// each, 75 MB. The tables of one job are kept however many there are, because the steps
// of that job have them anyway.
const knownEntries = 500_000

// knownTables are the last tables of each job whose steps have run in this process,
// least recently used jobs first to go. Content tells which they are (the digest), so
// what is kept is never out of date, only of no use.
type knownTables struct {
	most int // entries

	mu      sync.Mutex
	entries int
	jobs    map[string]*list.Element // of *knownJob, by uid
	used    *list.List               // the last used at the front
}

type knownJob struct {
	uid    string
	tables job.KnownMapping
}

func newKnownTables(most int) *knownTables {
	return &knownTables{most: most, jobs: map[string]*list.Element{}, used: list.New()}
}

// get returns the tables of a job if they have the digest, or have it once the job has
// settled: its workflow does that without a step.
func (k *knownTables) get(uid string, digest job.MappingDigest) (job.KnownMapping, bool) {
	tables, kept := k.last(uid)
	if !kept {
		return job.KnownMapping{}, false
	}
	if tables.Digest() == digest {
		return tables, true
	}
	if settled := tables.Settled(); settled.Digest() == digest {
		k.put(uid, settled)
		return settled, true
	}
	return job.KnownMapping{}, false
}

func (k *knownTables) last(uid string) (job.KnownMapping, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	element, kept := k.jobs[uid]
	if !kept {
		return job.KnownMapping{}, false
	}
	k.used.MoveToFront(element)
	return element.Value.(*knownJob).tables, true
}

// put keeps the tables of a job in the place of those that it had.
func (k *knownTables) put(uid string, tables job.KnownMapping) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if element, kept := k.jobs[uid]; kept {
		k.remove(element)
	}
	k.jobs[uid] = k.used.PushFront(&knownJob{uid, tables})
	k.entries += tables.Digest().Entries()
	for k.entries > k.most && k.used.Len() > 1 {
		k.remove(k.used.Back())
	}
}

func (k *knownTables) remove(element *list.Element) {
	of := k.used.Remove(element).(*knownJob)
	delete(k.jobs, of.uid)
	k.entries -= of.tables.Digest().Entries()
}

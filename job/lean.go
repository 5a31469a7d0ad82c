package job

import (
	"encoding/json"
	"fmt"
)

// A step of a job with many tables gets the digest of the job's tables in the place of
// the tables. The worker has them from an earlier step, or asks the job's workflow
// (QueryTables). Such steps are activities with names of their own, so that no worker
// runs one that does not know what is missing.

// leanSuffix ends the name of an activity whose input is Lean.
const leanSuffix = "Lean"

// LeanPrefix begins each Lean as JSON.
const LeanPrefix = `{"digest":"`

// LeanName is the name of the activity for Lean inputs.
func LeanName(activity string) string { return activity + leanSuffix }

// StepName is the name of the step that an activity takes, whichever its input is.
func StepName(activity string) string {
	if n := len(activity) - len(leanSuffix); n > 0 && activity[n:] == leanSuffix {
		return activity[:n]
	}
	return activity
}

// leanable are the inputs of steps that need a job's tables.
type leanable interface {
	StepInput | StreamInput | ApplyInput | ApplySeveralInput | CleanUpInput
}

// stepInput is a pointer to something leanable.
type stepInput interface{ step() *StepInput }

func (in *StepInput) step() *StepInput { return in }

// Lean is the input of a step with a digest in the place of Progress.Tables and
// Progress.Partitions. Only With makes the input of it.
type Lean[T leanable] struct {
	// input has the mapping until it has been encoded. What came by has its digest.
	input  T
	digest *MappingDigest
}

// MakeLean makes a lean input of one that has its tables. It shares the tables, which
// must not change before it has been encoded.
func MakeLean[T leanable](in T) Lean[T] { return Lean[T]{input: in} }

// Digest is that of the tables which are left out.
func (l Lean[T]) Digest() MappingDigest {
	if l.digest != nil {
		return *l.digest
	}
	return DigestOf(any(&l.input).(stepInput).step().Progress.Mapping())
}

// Without returns the input without tables: for its spec, its position and what the
// job's problem is.
func (l Lean[T]) Without() T {
	in := l.input
	p := &any(&in).(stepInput).step().Progress
	p.Tables, p.Partitions = nil, nil
	return in
}

// With returns the input with its tables. Another mapping is an error.
func (l Lean[T]) With(k KnownMapping) (T, error) {
	in := l.Without()
	if digest := l.Digest(); k.digest != digest {
		var none T
		return none, fmt.Errorf("the step was ordered with other tables: %s, not %s", digest, k.digest)
	}
	p := &any(&in).(stepInput).step().Progress
	p.Tables, p.Partitions = k.mapping.Tables, k.mapping.Partitions
	return in, nil
}

// MarshalJSON implements json.Marshaler.
func (l Lean[T]) MarshalJSON() ([]byte, error) {
	digest := l.Digest()
	travels := packedJSON[T]{Digest: &digest, Value: l.Without()}
	step := any(&travels.Value).(stepInput).step()
	step.Progress.Awaited = nil // no step needs what is to come later
	whole := step.Progress
	b := step.Progress.takeBulk()
	if b.entries() <= packAbove {
		step.Progress = whole
		return json.Marshal(travels)
	}
	var err error
	if travels.Packed, err = b.pack(); err != nil {
		return nil, err
	}
	return json.Marshal(travels)
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *Lean[T]) UnmarshalJSON(data []byte) error {
	var travels packedJSON[T]
	if err := json.Unmarshal(data, &travels); err != nil {
		return err
	}
	if travels.Digest == nil {
		return errNoDigest
	}
	step := any(&travels.Value).(stepInput).step()
	if len(travels.Packed) > 0 {
		b, err := unpackBulk(travels.Packed)
		if err != nil {
			return fmt.Errorf("read the input of a step: %w", err)
		}
		step.Progress.putBulk(b)
	}
	step.Progress.Tables, step.Progress.Partitions = nil, nil
	*l = Lean[T]{digest: travels.Digest, input: travels.Value}
	return nil
}

// Mapping is what of the progress grows with its tables.
func (p *Progress) Mapping() Mapping { return Mapping{Tables: p.Tables, Partitions: p.Partitions} }

// QueryTables asks a job for its tables, with a TablesWanted. The answer is TablesKnown.
const QueryTables = "tables"

// QueryState is QueryProgress for readers that can open a Packed[Progress]: it is
// smaller, and fits where the other does not.
const QueryState = "job_state"

// TablesWanted is the argument of QueryTables.
type TablesWanted struct {
	// Digest is what the tables are to be; nil: whatever they are.
	Digest *MappingDigest `json:"digest,omitempty"`
}

// TablesKnown is the answer to QueryTables.
type TablesKnown struct {
	// Digest of the tables that the job has now.
	Digest MappingDigest `json:"digest"`
	// Tables is nil if they are not what was wanted.
	Tables *Packed[Mapping] `json:"tables,omitempty"`
}

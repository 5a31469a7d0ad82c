package job

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Names that a Temporal client needs. They are part of the interface.
const (
	WorkflowType = "ReplicationJob"
	// WorkflowTypeLarge is a ReplicationJob whose input is packed, because it has so many
	// tables. Workers that cannot read that do not know the type, and leave it alone.
	WorkflowTypeLarge = "ReplicationJobLarge"
	WorkflowIDPrefix  = "ccr-job-"

	// TaskQueue has the workflow tasks and the short activities, StreamTaskQueue
	// one slot a job for as long as it streams.
	TaskQueue       = "ccr"
	StreamTaskQueue = "ccr-stream"

	SignalPause             = "pause"
	SignalResume            = "resume"
	SignalDelete            = "delete"
	SignalSkipBinlog        = "skip_binlog"
	SignalUpdateHostMapping = "update_host_mapping"
	SignalForceFullSync     = "force_fullsync"
	SignalDesync            = "desync"
	SignalSync              = "sync"
	SignalContinueAsNew     = "continue_as_new"
	SignalObserveLag        = "observe_lag"
	SignalUpdateTables      = "update_tables"

	QueryStatus   = "job_status"
	QueryDetail   = "job_detail"
	QueryOrders   = "orders" // answers Orders; workers of before 0.4 do not know it
	QueryProgress = "job_progress"
	QueryLag      = "get_lag"
	QueryEvents   = "events"

	ActivityCheck           = "CheckJob"
	ActivityTakeSnapshot    = "TakeSnapshot"
	ActivityRestoreSnapshot = "RestoreSnapshot"
	ActivityFinishSnapshot  = "FinishSnapshot"
	ActivityStream          = "StreamUpserts"
	ActivityApply           = "ApplyBinlog"
	ActivityApplySeveral    = "ApplyBinlogs"
	ActivityObserveLag      = "ObserveLag"
	ActivityCleanUp         = "CleanUpJob"
	ActivitySelectTables    = "SelectTables"
	ActivityCheckSetup      = "CheckSetup"
	ActivityNotify          = "Notify"

	// ErrorTypeWorkerStopping is the type of the application error with which a
	// step hands itself over to another worker.
	ErrorTypeWorkerStopping = "WorkerStopping"

	// PayloadPlain is the metadata key of payloads that are never compressed,
	// because people without our data converter read them.
	PayloadPlain = "ccr-plain"

	// MemoCreatedBy is the key of the memo that says who has created a job.
	MemoCreatedBy = "created_by"

	SearchAttributeSyncType            = "CcrSyncType"
	SearchAttributeSyncState           = "CcrSyncState"
	SearchAttributeJobState            = "CcrJobState"
	SearchAttributeSourceDatabase      = "CcrSourceDatabase"
	SearchAttributeDestinationDatabase = "CcrDestinationDatabase"
)

// Signals lists every signal a job listens to.
var Signals = []string{
	SignalPause, SignalResume, SignalDelete, SignalSkipBinlog, SignalUpdateHostMapping,
	SignalForceFullSync, SignalDesync, SignalSync, SignalContinueAsNew, SignalObserveLag,
	SignalUpdateTables, SignalRepair, SignalVerified, SignalUpdateCredentials,
	SignalUpdateHosts, SignalUpdateOptions,
}

// WorkflowID returns the workflow id of the job called name.
func WorkflowID(name string) string { return WorkflowIDPrefix + name }

// Command is the payload of every signal: the fields that the signal does not
// use are left out. A person may send an empty payload for most signals.
type Command struct {
	// RequestID lets the sender find the outcome in job_status. Optional.
	RequestID string `json:"request_id,omitempty"`
	// By says who asks, for the event. Optional.
	By string `json:"by,omitempty"`

	SkipBinlog
	HostMappings
	UpdateTables
	ObserveLag
	ClusterChanges
	UpdateOptions

	// Repair and Verified are the payloads of repair and verified (verify.go).
	Repair   *RepairOrder `json:"repair,omitempty"`
	Verified *Verified    `json:"verified,omitempty"`
	// Settled are findings that verified takes back: the tables are equal or gone.
	Settled []VerifyFinding `json:"settled,omitempty"`
}

// ObserveLag is the payload of observe_lag.
type ObserveLag struct {
	// Position is a commit seq that the job has surely reached: a running shift
	// has reported more than the workflow knows. Optional.
	Position int64 `json:"position,omitempty"`
}

// SkipBinlog is the payload of skip_binlog (http-api.md 3.15).
type SkipBinlog struct {
	SkipBy        string `json:"skip_by,omitempty"`
	SkipCommitSeq int64  `json:"skip_commit_seq,omitempty"`
	SkipTable     string `json:"skip_table,omitempty"`
	SkipTableID   int64  `json:"skip_table_id,omitempty"`
}

// The values of SkipBy, compared without regard to case.
const (
	SkipSilence     = "silence"
	SkipFullSync    = "fullsync"
	SkipPartialSync = "partialsync"
)

// Normalize lower-cases SkipBy and refuses what cannot be carried out.
func (s *SkipBinlog) Normalize() error {
	s.SkipBy = strings.ToLower(s.SkipBy)
	switch s.SkipBy {
	case SkipFullSync:
	case SkipSilence:
		if s.SkipCommitSeq <= 0 {
			return fmt.Errorf("[normal] invalid skip commit seq: %d: silence passes over the one binlog that skip_commit_seq names (last_commit_seq of job_progress); fullsync copies everything again", s.SkipCommitSeq)
		}
	case SkipPartialSync:
		if s.SkipTable == "" || s.SkipTableID == 0 {
			return fmt.Errorf("[normal] invalid skip table: %s, table id: %d: partialsync needs skip_table and skip_table_id (table_name_mapping of job_progress)", s.SkipTable, s.SkipTableID)
		}
	default:
		return fmt.Errorf("[normal] invalid skip method: %s: skip_by is silence, partialsync or fullsync", s.SkipBy)
	}
	return nil
}

// HostMappings is the payload of update_host_mapping.
type HostMappings struct {
	Source      map[string]string `json:"src_host_mapping,omitempty"`
	Destination map[string]string `json:"dest_host_mapping,omitempty"`
}

// ErrHostMappingEmpty is the refusal of an update without any mapping.
var ErrHostMappingEmpty = errors.New("host_mapping is empty")

// CheckHostMapping refuses a mapping with what is no address: it would match
// nothing, or nothing could be reached at it, and nobody would be told. An entry
// that removes a mapping may name anything.
func CheckHostMapping(mapping map[string]string) error {
	for _, private := range slices.Sorted(maps.Keys(mapping)) {
		public := mapping[private]
		for _, address := range []string{private, public} {
			if public != "" && !isAddress(address) {
				return fmt.Errorf("[normal] host_mapping: %q is no address: a host name or an IP address, without port", address)
			}
		}
	}
	return nil
}

// isAddress tells host names and IP addresses from what is none. More than one
// colon is an IPv6 address.
func isAddress(s string) bool {
	return s != "" && !strings.ContainsFunc(s, unicode.IsSpace) && !strings.Contains(s, "/") && strings.Count(s, ":") != 1
}

// Outcome is the result of one command.
type Outcome struct {
	RequestID string    `json:"request_id"`
	Command   string    `json:"command"`
	At        time.Time `json:"at"`
	// Refused is empty for a command that was carried out, else the reason.
	Refused string `json:"refused,omitempty"`
}

// AddOutcome records the result of a command and forgets the oldest beyond
// MaxOutcomes. Commands without a request id leave no outcome.
func (p *Progress) AddOutcome(o Outcome) {
	if o.RequestID == "" {
		return
	}
	p.Outcomes = append(p.Outcomes, o)
	if extra := len(p.Outcomes) - MaxOutcomes; extra > 0 {
		p.Outcomes = append([]Outcome(nil), p.Outcomes[extra:]...)
	}
}

// Outcome returns the recorded result of the request, if there is one.
func (s Status) Outcome(requestID string) (Outcome, bool) {
	for _, o := range s.Outcomes {
		if o.RequestID == requestID {
			return o, true
		}
	}
	return Outcome{}, false
}

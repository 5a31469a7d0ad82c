package job

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
)

// labelLimit is the FE's default label_regex_length (doris-sql.md 1.5), less
// room for the "_r_<attempt>" of restore labels.
const labelLimit = 128 - 16

var notLabel = regexp.MustCompile(`[^-_A-Za-z0-9]`)

// labelName returns the job's name as far as it may stand in a Doris label:
// other characters, or a long name, are replaced by a digest so that two jobs
// never share a label.
func labelName(name string, room int) string {
	clean := notLabel.ReplaceAllString(name, "_")
	if clean == name && len(clean) <= room {
		return clean
	}
	sum := sha256.Sum256([]byte(name))
	digest := hex.EncodeToString(sum[:6])
	if len(clean) > room-len(digest)-1 {
		clean = clean[:room-len(digest)-1]
	}
	return clean + "_" + digest
}

// SnapshotPrefix is the part of backup labels that names the job and the
// epoch: ccrs_<job>_<epoch> (full) or ccrp_<job>_<epoch> (doris-binlogs.md 5.1).
func SnapshotPrefix(jobName string, epoch int64, partial bool) string {
	kind := "ccrs"
	if partial {
		kind = "ccrp"
	}
	suffix := fmt.Sprintf("_%d", epoch)
	return kind + "_" + labelName(jobName, labelLimit-len(kind)-len(suffix)-24) + suffix
}

// SnapshotName is the backup label of one attempt. It has no random part: the
// same step finds its own backup again.
func SnapshotName(s *Spec, epoch int64, partial bool, attempt int) string {
	uid := s.UID
	if len(uid) > 8 {
		uid = uid[:8]
	}
	return fmt.Sprintf("%s_%s%d", SnapshotPrefix(s.Name, epoch, partial), uid, attempt)
}

// RestoreLabel is the label of the n-th restore of a snapshot.
func RestoreLabel(snapshot string, n int) string { return fmt.Sprintf("%s_r_%d", snapshot, n) }

// LabelPrefix begins every transaction label of the job.
func LabelPrefix(uid string) string { return "ccrj-" + uid }

// TxnLabel is the label of the destination transaction that applies one UPSERT
// (architecture.md 4): no random part, no attempt number.
func TxnLabel(uid string, epoch, sourceDBID, commitSeq int64) string {
	return fmt.Sprintf("%s:%d:%d:%d", LabelPrefix(uid), epoch, sourceDBID, commitSeq)
}

// AliasName is the temporary name under which a table is restored before it
// replaces the destination table; epoch keeps it apart from leftovers.
func AliasName(table string, epoch int64) string { return fmt.Sprintf("__ccr_%s_%d", table, epoch) }

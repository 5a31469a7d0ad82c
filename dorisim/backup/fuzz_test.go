package backup

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/catalog"
)

// FuzzReadMeta reads the meta bytes of a snapshot, which a client hands over.
func FuzzReadMeta(f *testing.F) {
	good, err := encodeMeta(snapshotMeta{Database: "d", Tables: []*catalog.Table{{ID: 1, Name: "t", Kind: catalog.View}}})
	require.NoError(f, err)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte(metaMagic))
	f.Add([]byte("\x1f\x8b"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := decodeMeta(data); err == nil && len(data) < len(metaMagic) {
			t.Fatal("read something from nothing")
		}
		if isGzip(data) {
			_, _ = gunzip(data)
		}
	})
}

// FuzzJobInfo reads the job info, which a client edits.
func FuzzJobInfo(f *testing.F) {
	for _, seed := range []string{
		`{"name":"l","database":"d","id":1,"backup_objects":{"t":{"id":2,"partitions":{"p":{"id":3,"version":2,"indexes":{"t":{"id":4,"schema_hash":5,"tablets":{"6":["a"]},"tablets_order":[6]}}}}}}}`,
		`{"extra_info":{"be_network_map":{"1":{"ip":"127.0.0.1","port":1}},"token":"x"}}`, `{"new_backup_objects":{"odbc_tables":[{}]}}`, `{}`, `[`, `{"tablet_be_map":{"6":1}}`, `{"backup_objects":{"t":null}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w := &restoreWork{info: &jobInfo{}, aliases: map[string]string{}}
		if json.Unmarshal([]byte(text), w.info) != nil || !w.info.complete() {
			return
		}
		if w.info.Extra == nil {
			w.info.Extra = &extraInfo{}
		}
		require.NotEmpty(t, w.objectsText())
		_ = w.selectObjects(RestoreRequest{Tables: []RestoreTable{{Name: "t", Alias: "u"}}})
		_, _ = downloadTask(&job{restore: w}, tabletPair{local: &catalog.Tablet{}, remote: 6})
	})
}

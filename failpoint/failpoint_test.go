package failpoint

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSet(t *testing.T) {
	require.NoError(t, (*Set)(nil).At("j", HandleBinlog))
	var s Set
	s.Put("j", HandleBinlog, nil) // off already
	require.NoError(t, s.At("j", HandleBinlog))
	s.Put("j", HandleBinlog, json.RawMessage(`true`))
	s.Put("j", "other", json.RawMessage(`{"a":1}`))
	require.EqualError(t, s.At("j", HandleBinlog), "failpoint handle_binlog_failed is on (true): switch it off with /failpoint")
	require.NoError(t, s.At("k", HandleBinlog))
	s.Put("j", HandleBinlog, json.RawMessage(`null`))
	require.NoError(t, s.At("j", HandleBinlog))
	require.Error(t, s.At("j", "other"))
	s.Put("j", "", nil)
	require.NoError(t, s.At("j", "other"))
}

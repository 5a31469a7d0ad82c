package worker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/converter"

	"github.com/doris-ccr/ccr/job"
)

func TestLargePayloadsAreCompressedAndComeBack(t *testing.T) {
	p := job.Progress{Phase: job.PhaseStream, Tables: map[int64]job.Table{}}
	for i := range 10_000 {
		p.Tables[int64(10_000+i)] = job.Table{DestID: int64(90_000 + i), Name: fmt.Sprintf("a_table_of_the_shop_%d", i), CommitSeq: int64(i)}
	}
	dc := DataConverter()
	payloads, err := dc.ToPayloads(p)
	require.NoError(t, err)
	t.Logf("%d KB for 10,000 tables", len(payloads.Payloads[0].Data)/1000) // docs/sizing.md has it
	require.Less(t, len(payloads.Payloads[0].Data), 256<<10, "10,000 tables stay far below 512 KiB")
	var back job.Progress
	require.NoError(t, dc.FromPayloads(payloads, &back))
	require.Equal(t, p, back)
}

func TestSmallPayloadsStayReadable(t *testing.T) {
	payload, err := DataConverter().ToPayload("### shop")
	require.NoError(t, err)
	require.Equal(t, `"### shop"`, string(payload.Data))
	require.Equal(t, "json/plain", string(payload.Metadata[converter.MetadataEncoding]))
}

func TestPayloadsForPeopleAreNotCompressed(t *testing.T) {
	plain, err := converter.GetDefaultDataConverter().ToPayload(make([]int, 10_000))
	require.NoError(t, err)
	plain.Metadata[job.PayloadPlain] = []byte("1")
	payloads, err := DataConverter().ToPayloads(converter.NewRawValue(plain))
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{converter.MetadataEncoding: []byte("json/plain")}, payloads.Payloads[0].Metadata)
	var back []int
	require.NoError(t, DataConverter().FromPayloads(payloads, &back))
	require.Len(t, back, 10_000)
}

// The Web UI has no converter of ours, and this answer has the page that it shows.
func TestDetailsAreNotCompressed(t *testing.T) {
	metadata := &sdkpb.WorkflowMetadata{CurrentDetails: strings.Repeat("a line of the details\n", 1000)}
	payload, err := DataConverter().ToPayload(metadata)
	require.NoError(t, err)
	require.Equal(t, "json/protobuf", string(payload.Metadata[converter.MetadataEncoding]))
	require.Contains(t, string(payload.Data), "a line of the details")
}

func TestForeignPayloadsPass(t *testing.T) {
	// What tctl and the temporal command send.
	foreign := &commonpb.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte("json/plain")},
		Data:     []byte(`{"skip_by":"silence","skip_commit_seq":9}`),
	}
	var c job.Command
	require.NoError(t, DataConverter().FromPayload(foreign, &c))
	require.Equal(t, int64(9), c.SkipCommitSeq)

	out, err := gzipCodec{}.Decode([]*commonpb.Payload{foreign, {}, nil})
	require.NoError(t, err)
	require.Same(t, foreign, out[0])
}

func TestDamagedPayloadsAreErrors(t *testing.T) {
	for _, data := range [][]byte{nil, {1, 2, 3}} {
		damaged := &commonpb.Payload{Metadata: map[string][]byte{converter.MetadataEncoding: []byte(gzipEncoding)}, Data: data}
		_, err := gzipCodec{}.Decode([]*commonpb.Payload{damaged})
		require.ErrorContains(t, err, "decompress payload")
	}
}

func FuzzDecode(f *testing.F) {
	good, err := DataConverter().ToPayload(make([]int, 10_000))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good.Data)
	f.Fuzz(func(t *testing.T, data []byte) {
		p := &commonpb.Payload{Metadata: map[string][]byte{converter.MetadataEncoding: []byte(gzipEncoding)}, Data: data}
		_, _ = gzipCodec{}.Decode([]*commonpb.Payload{p}) // must not panic
	})
}

// What travels of a job with many tables, as docs/sizing.md tells it.
func TestPackedStatesAndLeanInputs(t *testing.T) {
	tables := map[int64]job.Table{}
	for i := range int64(10_000) {
		tables[10_000+97*i] = job.Table{DestID: 90_000 + i*i%999_983, Name: fmt.Sprintf("ods_order_detail_%d_%04d", 2000+i/1000, i%1000)}
	}
	p := job.Progress{Phase: job.PhaseStream, Tables: tables}
	dc := DataConverter()
	payload, err := dc.ToPayload(job.Pack(p))
	require.NoError(t, err)
	t.Logf("packed: %d bytes", payload.Size())
	require.Less(t, payload.Size(), 60_000)
	var packed job.Packed[job.Progress]
	require.NoError(t, dc.FromPayload(payload, &packed))
	opened, err := packed.Open()
	require.NoError(t, err)
	require.Equal(t, p, opened)

	in := job.ApplyInput{StepInput: job.StepInput{Progress: p}}
	in.Progress.Pending = &job.Binlog{Data: strings.Repeat("CREATE TABLE ", 100)}
	payload, err = dc.ToPayload(job.MakeLean(in))
	require.NoError(t, err)
	require.Less(t, payload.Size(), 1000)
	require.Equal(t, gzipEncoding, string(payload.Metadata[converter.MetadataEncoding]))
	var lean job.Lean[job.ApplyInput]
	require.NoError(t, dc.FromPayload(payload, &lean))
	require.Equal(t, job.DigestOf(p.Mapping()), lean.Digest())
}

package worker

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"

	"github.com/doris-ccr/ccr/job"
)

const (
	// gzipEncoding marks payloads that this codec compressed.
	gzipEncoding = "binary/ccr-gzip"
	// compressAbove is the size in bytes above which a payload is compressed.
	// What people read in the Web UI is smaller and stays readable.
	compressAbove = 4 << 10
	// compressLeanAbove is that size for the inputs of steps of a job with many tables
	// (job.Lean): two of them are written for each DDL.
	compressLeanAbove = 1 << 10
	// decompressLimit bounds what one payload may grow to, in bytes.
	decompressLimit = 256 << 20
)

// DataConverter is the converter of every client and worker of ccr: JSON, and
// gzip for what is large, such as the state of a job with 10,000 tables. Encoding the
// state of very many takes longer than a workflow may otherwise think at once.
func DataConverter() converter.DataConverter {
	return workflow.DataConverterWithoutDeadlockDetection(converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), gzipCodec{}))
}

// gzipCodec compresses large payloads and leaves alone what it did not make:
// a signal sent by tctl or the temporal command has to be readable.
type gzipCodec struct{}

// Encode implements converter.PayloadCodec.
func (gzipCodec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	out := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		packed, err := compress(p)
		if err != nil {
			return nil, fmt.Errorf("compress payload: %w", err)
		}
		out[i] = packed
	}
	return out, nil
}

// Decode implements converter.PayloadCodec.
func (gzipCodec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	out := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		if string(p.GetMetadata()[converter.MetadataEncoding]) != gzipEncoding {
			out[i] = p
			continue
		}
		plain, err := decompress(p.GetData())
		if err != nil {
			return nil, fmt.Errorf("decompress payload: %w", err)
		}
		out[i] = plain
	}
	return out, nil
}

// workflowMetadata is the type of the answer with a workflow's current details and its
// signals and queries. Only the Web UI and the temporal command ask for it.
const workflowMetadata = "temporal.api.sdk.v1.WorkflowMetadata"

// compress returns the payload itself if it is small, is to be read by people,
// or does not shrink.
func compress(p *commonpb.Payload) (*commonpb.Payload, error) {
	if _, plain := p.GetMetadata()[job.PayloadPlain]; plain {
		// The mark has done its work. With it, the temporal command would take
		// the payload for something that it does not know.
		metadata := maps.Clone(p.GetMetadata())
		delete(metadata, job.PayloadPlain)
		return &commonpb.Payload{Metadata: metadata, Data: p.GetData()}, nil
	}
	if string(p.GetMetadata()[converter.MetadataMessageType]) == workflowMetadata {
		return p, nil
	}
	above := compressAbove
	if bytes.HasPrefix(p.GetData(), []byte(job.LeanPrefix)) {
		above = compressLeanAbove
	}
	if len(p.GetData()) <= above {
		return p, nil
	}
	marshalled, err := proto.Marshal(p)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(marshalled); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if packed.Len() >= len(marshalled) {
		return p, nil
	}
	return &commonpb.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte(gzipEncoding)},
		Data:     packed.Bytes(),
	}, nil
}

func decompress(data []byte) (*commonpb.Payload, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(r, decompressLimit+1))
	if err != nil {
		return nil, err
	}
	if len(plain) > decompressLimit {
		return nil, errors.New("larger than a payload can be")
	}
	p := &commonpb.Payload{}
	if err := proto.Unmarshal(plain, p); err != nil {
		return nil, err
	}
	return p, nil
}

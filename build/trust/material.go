package trust

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
)

// rekorBundle is a log entry as it stands in the annotation of a signature under a tag: the
// canonical body and the log's promise to include it.
type rekorBundle struct {
	SignedEntryTimestamp []byte       `json:"SignedEntryTimestamp"`
	Payload              rekorPayload `json:"Payload"`
}

type rekorPayload struct {
	Body           string `json:"body"` // base64
	IntegratedTime int64  `json:"integratedTime"`
	LogIndex       int64  `json:"logIndex"`
	LogID          string `json:"logID"` // hex
}

// timestamp is an RFC 3161 response in an annotation.
type timestamp struct {
	SignedRFC3161Timestamp []byte `json:"SignedRFC3161Timestamp"`
}

func rekorOf(e *protorekor.TransparencyLogEntry) rekorBundle {
	return rekorBundle{
		SignedEntryTimestamp: e.GetInclusionPromise().GetSignedEntryTimestamp(),
		Payload: rekorPayload{
			Body:           base64.StdEncoding.EncodeToString(e.GetCanonicalizedBody()),
			IntegratedTime: e.GetIntegratedTime(),
			LogIndex:       e.GetLogIndex(),
			LogID:          hex.EncodeToString(e.GetLogId().GetKeyId()),
		},
	}
}

func (r rekorBundle) entry() (*protorekor.TransparencyLogEntry, error) {
	body, err := base64.StdEncoding.DecodeString(r.Payload.Body)
	if err != nil {
		return nil, fmt.Errorf("log entry: body: %w", err)
	}
	id, err := hex.DecodeString(r.Payload.LogID)
	if err != nil {
		return nil, fmt.Errorf("log entry: log ID: %w", err)
	}
	if err := checkJSON(body); err != nil {
		return nil, fmt.Errorf("log entry: body: %w", err)
	}
	var kind struct {
		Kind       string `json:"kind"`
		APIVersion string `json:"apiVersion"`
	}
	if err := json.Unmarshal(body, &kind); err != nil {
		return nil, fmt.Errorf("log entry: body: %w", err)
	}
	return &protorekor.TransparencyLogEntry{
		LogIndex:          r.Payload.LogIndex,
		LogId:             &protocommon.LogId{KeyId: id},
		KindVersion:       &protorekor.KindVersion{Kind: kind.Kind, Version: kind.APIVersion},
		IntegratedTime:    r.Payload.IntegratedTime,
		InclusionPromise:  &protorekor.InclusionPromise{SignedEntryTimestamp: r.SignedEntryTimestamp},
		CanonicalizedBody: body,
	}, nil
}

// materialOf reads what the annotations of a signature say of who made it and when. Without
// a certificate it was made with a key.
func materialOf(annotations map[string]string) (*protobundle.VerificationMaterial, error) {
	for key, value := range annotations {
		if len(value) > maxAnnotation {
			return nil, fmt.Errorf("annotation %s has %d bytes; at most %d are read", clip(key), len(value), maxAnnotation)
		}
	}
	m := &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{}}}
	if text := annotations[annotationCertificate]; text != "" {
		block, _ := pem.Decode([]byte(text))
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, errors.New("the certificate is not PEM")
		}
		m.Content = &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: block.Bytes}}
	}
	if text := annotations[annotationRekor]; text != "" {
		var r rekorBundle
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			return nil, fmt.Errorf("log entry: %w", err)
		}
		entry, err := r.entry()
		if err != nil {
			return nil, err
		}
		m.TlogEntries = []*protorekor.TransparencyLogEntry{entry}
	}
	if text := annotations[annotationTimestamp]; text != "" {
		var t timestamp
		if err := json.Unmarshal([]byte(text), &t); err != nil {
			return nil, fmt.Errorf("timestamp: %w", err)
		}
		m.TimestampVerificationData = &protobundle.TimestampVerificationData{
			Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: t.SignedRFC3161Timestamp}},
		}
	}
	return m, nil
}

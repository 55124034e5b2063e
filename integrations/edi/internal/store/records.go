package store

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	storagev1 "crossdock.dev/gen/crossdock/edi/storage/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/integrations/edi/x12"
)

func interchangeOf(r *storagev1.Interchange) message.Interchange {
	return message.Interchange{
		ID: r.GetId(), Direction: message.Direction(r.GetDirection()), Party: r.GetParty(), Sender: r.GetSender(), Receiver: r.GetReceiver(),
		Control: r.GetControlNumber(), Usage: r.GetUsage(), Document: r.GetDocumentSha256(), Offset: r.GetOffset(), Size: r.GetSize(),
		FileName: r.GetFileName(), Disposition: message.Disposition(r.GetDisposition()), Reason: r.GetReason(),
		ReasonCode: message.Reason(r.GetReasonCode()), Answer: r.GetAcknowledgement(), AnswerCode: r.GetAcknowledgementCode(),
		CreateTime: r.GetCreateTime().AsTime(), Sets: int(r.GetSets()), Separators: separatorsOf(r.GetSeparators()),
		AcknowledgeBy: instantOf(r.GetAcknowledgeBy()), Overdue: r.GetAcknowledgementOverdue(),
	}
}

// instantOf is the zero time where none is given.
func instantOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func interchangeRecord(x message.Interchange) *storagev1.Interchange {
	return &storagev1.Interchange{
		Id: x.ID, Direction: int32(x.Direction), Party: x.Party, Sender: x.Sender, Receiver: x.Receiver, ControlNumber: x.Control,
		Usage: x.Usage, DocumentSha256: x.Document, Offset: x.Offset, Size: x.Size, FileName: x.FileName,
		Disposition: int32(x.Disposition), Reason: x.Reason, ReasonCode: string(x.ReasonCode), Acknowledgement: x.Answer,
		AcknowledgementCode: x.AnswerCode, CreateTime: timestamppb.New(x.CreateTime), Sets: uint32(x.Sets),
		Separators:    [][]byte{[]byte(x.Separators.Element), []byte(x.Separators.Component), []byte(x.Separators.Repetition), []byte(x.Separators.Segment)},
		AcknowledgeBy: timestamp(x.AcknowledgeBy), AcknowledgementOverdue: x.Overdue,
	}
}

func separatorsOf(s [][]byte) x12.Separators {
	if len(s) != 4 {
		return x12.Separators{}
	}
	return x12.Separators{Element: string(s[0]), Component: string(s[1]), Repetition: string(s[2]), Segment: string(s[3])}
}

func setOf(r *storagev1.TransactionSet) message.Set {
	s := message.Set{
		Index: int(r.GetIndex()), ID: r.GetSet(), Control: r.GetControlNumber(), Group: r.GetGroupControlNumber(), Version: r.GetVersion(),
		Disposition: message.SetDisposition(r.GetDisposition()), Reason: r.GetReason(), ReasonCode: message.Reason(r.GetReasonCode()),
		Result: r.GetResult(), Offset: r.GetOffset(), Length: r.GetLength(), Related: r.GetRelated(), AckCode: r.GetAcknowledgementCode(),
	}
	for _, c := range r.GetUnmappedCodes() {
		s.Unmapped = append(s.Unmapped, message.Code{List: c.GetList(), Code: c.GetCode()})
	}
	for _, at := range r.GetSegments() {
		s.Segments = append(s.Segments, message.Segment{ID: at.GetId(), Offset: at.GetOffset(), Length: at.GetLength()})
	}
	return s
}

func setRecord(s message.Set) *storagev1.TransactionSet {
	r := &storagev1.TransactionSet{
		Index: uint32(s.Index), Set: s.ID, ControlNumber: s.Control, GroupControlNumber: s.Group, Version: s.Version,
		Disposition: int32(s.Disposition), Reason: s.Reason, ReasonCode: string(s.ReasonCode), Result: s.Result,
		Offset: s.Offset, Length: s.Length, Related: s.Related, AcknowledgementCode: s.AckCode,
	}
	for _, c := range s.Unmapped {
		r.UnmappedCodes = append(r.UnmappedCodes, &storagev1.Code{List: c.List, Code: c.Code})
	}
	for _, at := range s.Segments {
		r.Segments = append(r.Segments, &storagev1.Segment{Id: at.ID, Offset: at.Offset, Length: at.Length})
	}
	return r
}

// Message is an interchange as the contract shows it, with these of its sets.
func Message(x message.Interchange, of []message.Set) *ediv1.Interchange {
	m := &ediv1.Interchange{
		Name: x.Name(), Direction: ediv1.Interchange_Direction(x.Direction), Party: x.Party, Sender: x.Sender, Receiver: x.Receiver,
		ControlNumber: x.Control, Usage: x.Usage, DocumentSha256: x.Document, Size: x.Size, FileName: x.FileName,
		Disposition: ediv1.Interchange_Disposition(x.Disposition), Reason: x.Reason, ReasonCode: string(x.ReasonCode),
		Acknowledgement: message.Name(x.Answer), AcknowledgementCode: x.AnswerCode, CreateTime: timestamppb.New(x.CreateTime), Offset: x.Offset,
		AcknowledgeBy: timestamp(x.AcknowledgeBy), AcknowledgementOverdue: x.Overdue,
	}
	for _, s := range of {
		set := SetMessage(s)
		set.Segments = nil // an interchange may have hundreds of sets
		m.TransactionSets = append(m.TransactionSets, set)
	}
	return m
}

// SetMessage is a set as the contract shows it.
func SetMessage(s message.Set) *ediv1.Interchange_TransactionSet {
	m := &ediv1.Interchange_TransactionSet{
		Index: int32(s.Index), Set: s.ID, ControlNumber: s.Control, GroupControlNumber: s.Group,
		Disposition: ediv1.Interchange_TransactionSet_Disposition(s.Disposition), Reason: s.Reason, ReasonCode: string(s.ReasonCode),
		Result: s.Result, Offset: s.Offset, Length: s.Length, Related: s.Related, AcknowledgementCode: s.AckCode,
	}
	for _, c := range s.Unmapped {
		m.UnmappedCodes = append(m.UnmappedCodes, &ediv1.Interchange_UnmappedCode{List: c.List, Code: c.Code})
	}
	for _, at := range s.Segments {
		m.Segments = append(m.Segments, &ediv1.Interchange_Segment{Id: at.ID, Offset: at.Offset, Length: at.Length})
	}
	return m
}

func countMessage(r *storagev1.MessageCount) *ediv1.MessageCount {
	return &ediv1.MessageCount{
		Party: r.GetParty(), Day: r.GetDay(), Set: r.GetSet(), Received: r.GetReceived(), Applied: r.GetApplied(), Duplicate: r.GetDuplicate(),
		Parked: r.GetParked(), Rejected: r.GetRejected(), InProgress: r.GetInProgress(), Sent: r.GetSent(), Acknowledgements: r.GetAcknowledgements(),
		AcknowledgementsAccepted: r.GetAcknowledgementsAccepted(), SentAccepted: r.GetSentAccepted(), SentPartial: r.GetSentPartial(),
		SentRejected: r.GetSentRejected(), Overdue: r.GetOverdue(),
	}
}

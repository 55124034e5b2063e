package store

import (
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
	}
}

func interchangeRecord(x message.Interchange) *storagev1.Interchange {
	return &storagev1.Interchange{
		Id: x.ID, Direction: int32(x.Direction), Party: x.Party, Sender: x.Sender, Receiver: x.Receiver, ControlNumber: x.Control,
		Usage: x.Usage, DocumentSha256: x.Document, Offset: x.Offset, Size: x.Size, FileName: x.FileName,
		Disposition: int32(x.Disposition), Reason: x.Reason, ReasonCode: string(x.ReasonCode), Acknowledgement: x.Answer,
		AcknowledgementCode: x.AnswerCode, CreateTime: timestamppb.New(x.CreateTime), Sets: uint32(x.Sets),
		Separators: [][]byte{[]byte(x.Separators.Element), []byte(x.Separators.Component), []byte(x.Separators.Repetition), []byte(x.Separators.Segment)},
	}
}

func separatorsOf(s [][]byte) x12.Separators {
	if len(s) != 4 {
		return x12.Separators{}
	}
	return x12.Separators{Element: string(s[0]), Component: string(s[1]), Repetition: string(s[2]), Segment: string(s[3])}
}

func setOf(r *storagev1.TransactionSet) message.Set {
	return message.Set{
		Index: int(r.GetIndex()), ID: r.GetSet(), Control: r.GetControlNumber(), Group: r.GetGroupControlNumber(), Version: r.GetVersion(),
		Disposition: message.SetDisposition(r.GetDisposition()), Reason: r.GetReason(), ReasonCode: message.Reason(r.GetReasonCode()),
		Result: r.GetResult(), Offset: r.GetOffset(), Length: r.GetLength(), Related: r.GetRelated(),
	}
}

func setRecord(s message.Set) *storagev1.TransactionSet {
	return &storagev1.TransactionSet{
		Index: uint32(s.Index), Set: s.ID, ControlNumber: s.Control, GroupControlNumber: s.Group, Version: s.Version,
		Disposition: int32(s.Disposition), Reason: s.Reason, ReasonCode: string(s.ReasonCode), Result: s.Result,
		Offset: s.Offset, Length: s.Length, Related: s.Related,
	}
}

// Message is an interchange as the contract shows it, with these of its sets.
func Message(x message.Interchange, of []message.Set) *ediv1.Interchange {
	m := &ediv1.Interchange{
		Name: x.Name(), Direction: ediv1.Interchange_Direction(x.Direction), Party: x.Party, Sender: x.Sender, Receiver: x.Receiver,
		ControlNumber: x.Control, Usage: x.Usage, DocumentSha256: x.Document, Size: x.Size, FileName: x.FileName,
		Disposition: ediv1.Interchange_Disposition(x.Disposition), Reason: x.Reason, ReasonCode: string(x.ReasonCode),
		Acknowledgement: message.Name(x.Answer), AcknowledgementCode: x.AnswerCode, CreateTime: timestamppb.New(x.CreateTime), Offset: x.Offset,
	}
	for _, s := range of {
		m.TransactionSets = append(m.TransactionSets, SetMessage(s))
	}
	return m
}

// SetMessage is a set as the contract shows it.
func SetMessage(s message.Set) *ediv1.Interchange_TransactionSet {
	return &ediv1.Interchange_TransactionSet{
		Index: int32(s.Index), Set: s.ID, ControlNumber: s.Control, GroupControlNumber: s.Group,
		Disposition: ediv1.Interchange_TransactionSet_Disposition(s.Disposition), Reason: s.Reason, ReasonCode: string(s.ReasonCode),
		Result: s.Result, Offset: s.Offset, Length: s.Length, Related: s.Related,
	}
}

func countMessage(r *storagev1.MessageCount) *ediv1.MessageCount {
	return &ediv1.MessageCount{
		Party: r.GetParty(), Day: r.GetDay(), Set: r.GetSet(), Received: r.GetReceived(), Applied: r.GetApplied(), Duplicate: r.GetDuplicate(),
		Parked: r.GetParked(), Rejected: r.GetRejected(), InProgress: r.GetInProgress(), Sent: r.GetSent(), Acknowledgements: r.GetAcknowledgements(),
	}
}

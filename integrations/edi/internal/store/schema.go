// Package store keeps interchanges, their sets, what was seen before, our control numbers and the counts of messages. State and
// facts are written by the same calls, so that one is never without the other.
package store

import (
	storagev1 "crossdock.dev/gen/crossdock/edi/storage/v1"
	"crossdock.dev/platform/store"
)

// Service is the name of the service, its log and its store file.
const Service = "edi"

// The buckets. Ids of interchanges are time-ordered, so that a scan backwards is newest first. What must be unique for ever
// (identities, control numbers, order numbers) is a record and never dropped.
var (
	interchanges   = &store.Bucket{Name: "interchanges", Kind: store.Record, Doc: "interchange id → storage.Interchange"}
	sets           = &store.Bucket{Name: "sets", Kind: store.Record, Doc: "interchange id, index from 1 → storage.TransactionSet"}
	deliveries     = &store.Bucket{Name: "deliveries", Kind: store.Record, Doc: "delivery id → storage.Delivery"}
	delivered      = &store.Bucket{Name: "delivered", Kind: store.Record, Doc: "delivery id, number from 1 → storage.Reference"}
	identities     = &store.Bucket{Name: "identities", Kind: store.Record, Doc: "sender, receiver, ISA13 → storage.Identity"}
	controlNumbers = &store.Bucket{Name: "control_numbers", Kind: store.Record, Doc: "our address, the partner's → storage.ControlNumbers"}
	outboundGroups = &store.Bucket{Name: "outbound_groups", Kind: store.Record, Doc: "our address, the partner's, GS06 → storage.Reference"}
	drafts         = &store.Bucket{Name: "drafts", Kind: store.Record, Doc: "interchange id, piece → bytes of storage.Draft: what is to be written and sent"}
	purchaseOrders = &store.Bucket{Name: "purchase_orders", Kind: store.Record, Doc: "party, order number → storage.PurchaseOrder"}
	requests       = &store.Bucket{Name: "requests", Kind: store.Record, Doc: "interchange id, index, piece → bytes of the requests to send"}
	reportedEvents = &store.Bucket{Name: "reported_events", Kind: store.Record, Doc: "SCAC, load number, PRO, stop, list, code, time → storage.Reference: the set that told of the event first"}
	waitingSets    = &store.Bucket{Name: "waiting_sets", Kind: store.Record, Doc: "list, code, interchange id, index → storage.Reference: parked until the code is mapped"}
	messageCounts  = &store.Bucket{Name: "message_counts", Kind: store.Record, Doc: "party, day, set → storage.MessageCount"}
	codeMaps       = &store.Bucket{Name: "code_maps", Kind: store.Record, Doc: "list, resource name → storage.CodeMap", Copies: "masterdata"}
	masterdata     = &store.Bucket{Name: "masterdata", Kind: store.Record, Doc: "resource name → storage.Masterdata", Copies: "masterdata"}
	tenders        = &store.Bucket{Name: "tenders", Kind: store.Record, Doc: "load number, carrier → storage.Tender", Copies: "freight"}
	shipments      = &store.Bucket{Name: "shipments", Kind: store.Record, Doc: "resource name → storage.Shipment", Copies: "freight"}
)

var (
	interchangeTable = store.NewTable(interchanges, func() *storagev1.Interchange { return &storagev1.Interchange{} })
	setTable         = store.NewTable(sets, func() *storagev1.TransactionSet { return &storagev1.TransactionSet{} })
	deliveryTable    = store.NewTable(deliveries, func() *storagev1.Delivery { return &storagev1.Delivery{} })
	deliveredTable   = store.NewTable(delivered, func() *storagev1.Reference { return &storagev1.Reference{} })
	identityTable    = store.NewTable(identities, func() *storagev1.Identity { return &storagev1.Identity{} })
	controlTable     = store.NewTable(controlNumbers, func() *storagev1.ControlNumbers { return &storagev1.ControlNumbers{} })
	groupTable       = store.NewTable(outboundGroups, func() *storagev1.Reference { return &storagev1.Reference{} })
	orderTable       = store.NewTable(purchaseOrders, func() *storagev1.PurchaseOrder { return &storagev1.PurchaseOrder{} })
	countTable       = store.NewTable(messageCounts, func() *storagev1.MessageCount { return &storagev1.MessageCount{} })
	reportedTable    = store.NewTable(reportedEvents, func() *storagev1.Reference { return &storagev1.Reference{} })
	waitingTable     = store.NewTable(waitingSets, func() *storagev1.Reference { return &storagev1.Reference{} })
	masterdataTable  = store.NewTable(masterdata, func() *storagev1.Masterdata { return &storagev1.Masterdata{} })
	tenderTable      = store.NewTable(tenders, func() *storagev1.Tender { return &storagev1.Tender{} })
	shipmentTable    = store.NewTable(shipments, func() *storagev1.Shipment { return &storagev1.Shipment{} })
	codeMapTable     = store.NewTable(codeMaps, func() *storagev1.CodeMap { return &storagev1.CodeMap{} })
)

// Schema is what the adapter keeps.
func Schema() store.Schema {
	return store.Schema{
		Service: Service,
		Version: 1,
		Buckets: []*store.Bucket{
			interchanges, sets, deliveries, delivered, identities, controlNumbers, outboundGroups, drafts, purchaseOrders, requests,
			reportedEvents, waitingSets, messageCounts, codeMaps, masterdata, tenders, shipments,
		},
		Invariants: []store.Invariant{
			{Name: "I3 messages", Check: checkCounts},
			{Name: "I7 control numbers", Check: checkControlNumbers},
		},
		Series: lastNumbers,
	}
}

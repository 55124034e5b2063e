package store

import (
	billingstoragev1 "crossdock.dev/gen/crossdock/billing/storage/v1"
	"crossdock.dev/kernel/decimal"

	"crossdock.dev/services/billing/internal/freightbill"
	"crossdock.dev/services/billing/internal/invoice"
	"crossdock.dev/services/billing/internal/series"
	"crossdock.dev/services/billing/internal/shipment"
	"crossdock.dev/services/billing/internal/wire"
)

func releaseLine(m *billingstoragev1.ReleaseLineRecord) (shipment.ReleaseLine, error) {
	q, err := wire.FromQuantity(m.GetQuantity())
	if err != nil {
		return shipment.ReleaseLine{}, err
	}
	price, err := decimal.Parse(m.GetUnitPrice())
	return shipment.ReleaseLine{
		Line: m.GetLine(), Item: m.GetItem(), Description: m.GetDescription(), Quantity: q, UnitPrice: price,
		ExternalIDs: wire.FromExternalIDs(m.GetExternalIds()),
	}, err
}

func shipmentRecord(s shipment.Shipment) *billingstoragev1.ShipmentRecord {
	m := &billingstoragev1.ShipmentRecord{
		Name: s.Name, OrderRelease: s.Release, Order: s.Order, CustomerOrderNumber: s.CustomerOrderNumber, Customer: s.Customer,
		LegalEntity: s.LegalEntity, ShipFrom: s.ShipFrom, ShipTo: s.ShipTo, Mode: s.Mode, FreightTerms: string(s.Terms), Load: s.Load,
		GrossWeight: wire.Quantity(s.GrossWeight), Departed: wire.Time(s.Departed), Delivered: wire.Time(s.Delivered),
		ProofOfDelivery: s.Proof, ProofSigned: wire.Time(s.ProofSigned), BillingAuthorization: s.Authorization, Cancelled: s.Cancelled,
	}
	if s.ProofState != shipment.Missing {
		m.ProofState = s.ProofState.String()
	}
	return m
}

func shipmentOf(m *billingstoragev1.ShipmentRecord) (shipment.Shipment, error) {
	weight, err := wire.FromQuantity(m.GetGrossWeight())
	return shipment.Shipment{
		Name: m.GetName(), Release: m.GetOrderRelease(), Order: m.GetOrder(), CustomerOrderNumber: m.GetCustomerOrderNumber(),
		Customer: m.GetCustomer(), LegalEntity: m.GetLegalEntity(), ShipFrom: m.GetShipFrom(), ShipTo: m.GetShipTo(), Mode: m.GetMode(),
		Terms: shipment.FreightTerms(m.GetFreightTerms()), Load: m.GetLoad(), GrossWeight: weight, Departed: wire.FromTime(m.GetDeparted()),
		Delivered: wire.FromTime(m.GetDelivered()), Proof: m.GetProofOfDelivery(), ProofState: shipment.ParseProofState(m.GetProofState()),
		ProofSigned: wire.FromTime(m.GetProofSigned()), Authorization: m.GetBillingAuthorization(), Cancelled: m.GetCancelled(),
	}, err
}

func deliveredLineRecord(l shipment.Line) *billingstoragev1.DeliveredLineRecord {
	m := &billingstoragev1.DeliveredLineRecord{Line: l.Line, Shipped: wire.Quantity(l.Shipped)}
	if l.Proven {
		m.Accepted, m.Short = wire.Quantity(l.Accepted), wire.Quantity(l.Short)
		m.Damaged, m.Refused = wire.Quantity(l.Damaged), wire.Quantity(l.Refused)
	}
	return m
}

func deliveredLine(m *billingstoragev1.DeliveredLineRecord) (l shipment.Line, err error) {
	l.Line, l.Proven = m.GetLine(), m.GetAccepted() != nil
	if l.Shipped, err = wire.FromQuantity(m.GetShipped()); err != nil {
		return l, err
	}
	if l.Accepted, err = wire.FromQuantity(m.GetAccepted()); err != nil {
		return l, err
	}
	if l.Short, err = wire.FromQuantity(m.GetShort()); err != nil {
		return l, err
	}
	if l.Damaged, err = wire.FromQuantity(m.GetDamaged()); err != nil {
		return l, err
	}
	l.Refused, err = wire.FromQuantity(m.GetRefused())
	return l, err
}

func loadRecord(l shipment.Load) *billingstoragev1.LoadRecord {
	return &billingstoragev1.LoadRecord{
		Name: l.Name, Number: l.Number, LegalEntity: l.LegalEntity, ShipDate: wire.Date(l.ShipDate), Lane: l.Lane, Carrier: l.Carrier,
		CarrierReference: l.CarrierReference, Booked: l.Booked, Cancelled: l.Cancelled, Contract: l.Contract, Shipments: l.Shipments,
		Related: l.Related, AccruedCharges: int32(l.AccruedCharges), FreightBill: l.FreightBill,
	}
}

func loadOf(m *billingstoragev1.LoadRecord) (shipment.Load, error) {
	day, err := wire.FromDate(m.GetShipDate())
	return shipment.Load{
		Name: m.GetName(), Number: m.GetNumber(), LegalEntity: m.GetLegalEntity(), ShipDate: day, Lane: m.GetLane(), Carrier: m.GetCarrier(),
		CarrierReference: m.GetCarrierReference(), Booked: m.GetBooked(), Cancelled: m.GetCancelled(), Contract: m.GetContract(),
		Shipments: m.GetShipments(), Related: m.GetRelated(), AccruedCharges: int(m.GetAccruedCharges()), FreightBill: m.GetFreightBill(),
	}, err
}

func authorizationRecord(a invoice.Authorization) *billingstoragev1.AuthorizationRecord {
	head := wire.Authorization(a)
	head.Goods = nil
	return &billingstoragev1.AuthorizationRecord{
		BillingAuthorization: head, Invoice: a.Invoice, LegalEntity: a.LegalEntity, FreightExplanation: wire.Explanation(a.FreightExplanation),
		LoadNumber: a.LoadNumber, ShipDate: wire.Date(a.ShipDate), ShipFrom: a.ShipFrom, ShipTo: a.ShipTo, PaymentTerms: a.PaymentTerms,
		ProofOfDelivery: a.Proof, Contract: a.Contract, Delivered: wire.Time(a.Delivered), GoodsTotal: wire.Money(a.GoodsTotal),
		FreightTotal: wire.Money(a.FreightTotal),
	}
}

func authorizationOf(m *billingstoragev1.AuthorizationRecord, goods []invoice.Goods) (invoice.Authorization, error) {
	h := m.GetBillingAuthorization()
	a := invoice.Authorization{
		Name: h.GetName(), Shipment: h.GetShipment(), Release: h.GetOrderRelease(), Order: h.GetOrder(),
		CustomerOrderNumber: h.GetCustomerOrderNumber(), Customer: h.GetCustomer(), LegalEntity: m.GetLegalEntity(),
		Conjuncts: wire.FromConjuncts(h.GetConjuncts()), Goods: goods, FreightExplanation: wire.FromExplanation(m.GetFreightExplanation()),
		LoadNumber: m.GetLoadNumber(), ShipFrom: m.GetShipFrom(), ShipTo: m.GetShipTo(), PaymentTerms: m.GetPaymentTerms(),
		Proof: m.GetProofOfDelivery(), Contract: m.GetContract(), Delivered: wire.FromTime(m.GetDelivered()),
		Created: wire.FromTime(h.GetCreateTime()), Invoice: m.GetInvoice(),
	}
	var errs [5]error
	a.Freight, errs[0] = wire.FromFreightLines(h.GetFreight())
	a.GoodsTotal, errs[1] = wire.FromMoney(m.GetGoodsTotal())
	a.FreightTotal, errs[2] = wire.FromMoney(m.GetFreightTotal())
	a.NetTotal, errs[3] = wire.FromMoney(h.GetNetTotal())
	a.ShipDate, errs[4] = wire.FromDate(m.GetShipDate())
	return a, firstError(errs[:]...)
}

func invoiceRecord(i invoice.Invoice) *billingstoragev1.InvoiceRecord {
	head := wire.Invoice(i)
	head.Lines, head.Explanation = nil, nil
	return &billingstoragev1.InvoiceRecord{Invoice: head, TaxPercent: i.Tax.Percent.String()}
}

// invoiceOf makes the invoice of its record and of the authorisation, whose goods are its lines.
func invoiceOf(m *billingstoragev1.InvoiceRecord, a invoice.Authorization) (invoice.Invoice, error) {
	h := m.GetInvoice()
	i := invoice.Invoice{
		Name: h.GetName(), Number: h.GetNumber(), State: invoice.State(h.GetState()), LegalEntity: h.GetLegalEntity(), Customer: h.GetCustomer(),
		Order: h.GetOrder(), CustomerOrderNumber: h.GetCustomerOrderNumber(), Release: h.GetOrderRelease(), Shipment: h.GetShipment(),
		LoadNumber: h.GetLoadNumber(), Authorization: h.GetBillingAuthorization(), Goods: a.Goods,
		Tax:          invoice.Tax{Rule: h.GetTaxRule(), Note: h.GetTaxNote(), Seller: h.GetSellerTaxId(), Customer: h.GetCustomerVatId()},
		PaymentTerms: h.GetPaymentTerms(), IssueTime: wire.FromTime(h.GetIssueTime()),
		ShipFrom: h.GetShipFrom(), ShipTo: h.GetShipTo(),
	}
	var errs [9]error
	i.Freight, errs[0] = wire.FromFreightLines(h.GetFreight())
	i.GoodsTotal, errs[1] = wire.FromMoney(h.GetGoodsTotal())
	i.FreightTotal, errs[2] = wire.FromMoney(h.GetFreightTotal())
	i.TaxTotal, errs[3] = wire.FromMoney(h.GetTaxTotal())
	i.Total, errs[4] = wire.FromMoney(h.GetTotal())
	i.Tax.Percent, errs[5] = decimal.Parse(m.GetTaxPercent())
	i.IssueDate, errs[6] = wire.FromDate(h.GetIssueDate())
	i.DueDate, errs[7] = wire.FromDate(h.GetDueDate())
	i.ShipDate, errs[8] = wire.FromDate(h.GetShipDate())
	if !i.DueDate.IsZero() {
		i.DueDays = i.IssueDate.DaysUntil(i.DueDate)
	}
	i.Explanation = invoice.Explain(i, a)
	return i, firstError(errs[:]...)
}

func billOf(m *billingstoragev1.FreightBillRecord) (freightbill.Bill, error) {
	h := m.GetFreightBill()
	b := freightbill.Bill{
		Name: h.GetName(), Carrier: h.GetCarrier(), InvoiceNumber: h.GetInvoiceNumber(), LoadNumber: h.GetLoadNumber(),
		CarrierReference: h.GetCarrierReference(), Source: h.GetSource(), State: freightbill.State(h.GetState()), Load: h.GetLoad(),
		Received: wire.FromTime(h.GetReceiveTime()), Decisions: wire.FromDecisions(h.GetDecisions()),
	}
	var err error
	if b.BillDate, err = wire.FromDate(h.GetBillDate()); err != nil {
		return b, err
	}
	b.Total, err = wire.FromMoney(h.GetTotal())
	return b, err
}

func seriesOf(m *billingstoragev1.SeriesRecord) series.Series {
	return series.Series{Name: m.GetName(), LegalEntity: m.GetLegalEntity(), Next: m.GetNext(), Last: wire.FromTime(m.GetLastTime())}
}

func registration(m *billingstoragev1.RegisterRecord) series.Registration {
	return series.Registration{
		Series: m.GetSeries(), Ordinal: m.GetOrdinal(), Number: m.GetNumber(), Document: m.GetDocument(), Time: wire.FromTime(m.GetTime()),
	}
}

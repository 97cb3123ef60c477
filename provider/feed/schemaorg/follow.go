package schemaorg

// leads reports whether the document at an address is read as a part of the feed. The error is
// that of the row that has the address.
func (d *decoder) leads(address string, row bool) (bool, error) {
	if d.follow == nil || address == "" {
		return false, nil
	}
	if d.base != nil {
		if u, err := d.base.Parse(address); err == nil {
			address = u.String()
		}
	}
	followed, err := d.follow(address, row)
	d.found = d.found || followed
	return followed, err
}

// leadsRow is leads for the address of a row, and reports whether nothing is left to do about
// that: it is followed, or rejected.
func (d *decoder) leadsRow(baseID, address string) bool {
	followed, err := d.leads(address, true)
	if err != nil {
		d.found = true
		d.Row(d.line, nil)
		d.Reject(baseID, "", d.line, err.Error())
	}
	return followed || err != nil
}

// list follows the elements of a list that have nothing but an address, and reads the others
// (https://schema.org/ItemList).
func (d *decoder) list(list node, depth int) error {
	for _, element := range list.all("itemListElement") {
		item := element
		if object, ok := element.(map[string]any); ok {
			if items := node(object).all("item"); len(items) > 0 {
				item = items[0]
			}
		}
		address := addressOf(item)
		if address != "" && d.leadsRow("", address) {
			continue
		}
		if err := d.node(element, depth+1); err != nil {
			return err
		}
		if address != "" {
			d.addresses++
		}
	}
	return nil
}

// addressOf returns the address of an item of a list, if that is all that the list says of it.
func addressOf(item any) string {
	switch item := item.(type) {
	case string:
		return item
	case map[string]any:
		n := node(item)
		switch {
		case n.isReference():
			return n.id()
		case !n.isEvent():
			return n.text("url")
		}
	}
	return ""
}

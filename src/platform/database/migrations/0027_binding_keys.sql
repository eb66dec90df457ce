-- Bindings name models and features by their keys (pricing/usage/names.ts), for any spelling of them. Those of before are
-- renamed as far as plain letters go, so that usage does not wait for the next sync of the catalog, which derives them all
-- anew. Where two become one, the sync decides.
update meter_bindings b set model = lower(btrim(model)), feature = lower(btrim(feature))
where (model, feature) <> (lower(btrim(model)), lower(btrim(feature)))
  and not exists (select 1 from meter_bindings o where o.token_type = b.token_type
    and (o.model, o.feature) <> (b.model, b.feature)
    and (lower(btrim(o.model)), lower(btrim(o.feature))) = (lower(btrim(b.model)), lower(btrim(b.feature))));
update legacy_bindings b set model = lower(btrim(model)), feature = lower(btrim(feature))
where (model, feature) <> (lower(btrim(model)), lower(btrim(feature)))
  and not exists (select 1 from legacy_bindings o where o.token_type = b.token_type
    and (o.model, o.feature) <> (b.model, b.feature)
    and (lower(btrim(o.model)), lower(btrim(o.feature))) = (lower(btrim(b.model)), lower(btrim(b.feature))));

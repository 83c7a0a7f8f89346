// Asks a Slipway and the catalog client's own in-memory catalog the same generated questions, and prints where they differ.
// argv = [client module folder, base URL, token, seed, questions]; prints JSON: {asked, differences: [{kind, request, ours, theirs}]}.
//
// The in-memory catalog holds what the server itself answers. Where it is known to mean something else than Backstage's
// server, the question is put so that both mean the same; each such place is named, and listed in docs/catalog.md.
import { createRequire } from "node:module";

const [folder, base, token, seed, questions] = process.argv.slice(2);
const require = createRequire(`${folder}/package.json`);
const { CatalogClient, CATALOG_FILTER_EXISTS } = require("@backstage/catalog-client");
const { InMemoryCatalogClient } = require("@backstage/catalog-client/testUtils");
const api = new CatalogClient({ discoveryApi: { getBaseUrl: async () => base }, fetchApi: { fetch } });
const options = { token };
const MOST_VALUE = 200;

// mulberry32: small, and the same everywhere for a seed.
let state = Number(seed) >>> 0;
const random = () => {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const some = (list, most) => Array.from({ length: 1 + below(most) }, () => pick(list));
const maybe = (chance) => random() < chance;
const refOf = (e) => `${e.kind}:${e.metadata.namespace ?? "default"}/${e.metadata.name}`.toLowerCase();

const all = (await api.getEntities({}, options)).items.sort((a, b) => (refOf(a) < refOf(b) ? -1 : 1));
// Keys are compared without regard to case by Backstage's server. The in-memory catalog folds those of the question alone,
// so that it never finds spec.dependsOn: it is given entities with lower-case keys, and questions in lower case.
const folded = (value) =>
  value === null || typeof value !== "object" ? value
    : Array.isArray(value) ? value.map(folded)
      : Object.fromEntries(Object.entries(value).map(([of, inner]) => [of.toLowerCase(), folded(inner)]));
const held = (entities) =>
  new InMemoryCatalogClient({ entities: entities.map(({ relations, ...rest }) => ({ ...folded(rest), relations })) });
const lower = (filter) => Array.isArray(filter) ? filter.map(lower)
  : filter && Object.fromEntries(Object.entries(filter).map(([of, value]) => [of.toLowerCase(), value]));
const lowerQuery = (query) => Object.fromEntries(Object.entries(query).map(([of, value]) =>
  of === "$all" || of === "$any" ? [of, value.map(lowerQuery)] : of === "$not" ? [of, lowerQuery(value)] : [of.toLowerCase(), value]));
const inTheirs = (request) => ({
  ...request,
  ...(request.filter && { filter: lower(request.filter) }),
  ...(request.query && { query: lowerQuery(request.query) }),
});
const theirs = held(all);

// --- what can be asked for ---

// An item of a list is a key as well, in its own case there.
const itemKeys = new Map();
const isCased = (key) => itemKeys.has(key) && itemKeys.get(key) !== itemKeys.get(key).toLowerCase();

// Facts as Backstage's search table has them (backstage-compat 4a.6), to choose keys and values from.
const rows = (entity) => {
  const found = [];
  const visit = (path, value) => {
    if (["attachments", "relations", "status", "metadata.etag"].includes(path)) return;
    if (Array.isArray(value)) {
      for (const item of value) {
        visit(path, item);
        if (typeof item === "string") found.push([`${path}.${item}`, "true"]) && itemKeys.set(`${path}.${item}`, item);
      }
    } else if (value !== null && typeof value === "object") {
      for (const [key, inner] of Object.entries(value)) visit(path ? `${path}.${key}` : key, inner);
    } else found.push([path, value === null || value === undefined ? null : String(value)]);
  };
  visit("", entity);
  if (!entity.metadata.namespace) found.push(["metadata.namespace", "default"]);
  for (const { type, targetRef } of entity.relations ?? []) found.push([`relations.${type}`, targetRef]);
  return found;
};
const known = new Map(all.map((entity) => [entity, rows(entity)]));
const values = new Map();
const repeated = new Set(); // keys of which some entity has several values
for (const found of known.values()) {
  const seen = new Set();
  for (const [key, value] of found) {
    if (seen.has(key.toLowerCase())) repeated.add(key.toLowerCase());
    seen.add(key.toLowerCase());
    if (!values.has(key)) values.set(key, new Set());
    // Longer values are no facts for Backstage's server; the in-memory catalog has them.
    if (value !== null && value.length <= MOST_VALUE) values.get(key).add(value);
  }
}
const keys = [...values.keys()].filter((key) => key.length <= MOST_VALUE && !key.includes(",") && !isCased(key));
const long = new Set();
for (const found of known.values())
  for (const [key, value] of found) if (value !== null && value.length > MOST_VALUE) long.add(key.toLowerCase());
const common = ["kind", "spec.type", "spec.lifecycle", "spec.owner", "metadata.name", "metadata.namespace", "relations.ownedBy"];
const key = () => (maybe(0.5) ? pick(common) : pick(keys));
// Half of the keys and values in another case, some values of somebody else's, some of nobody's.
const cased = (text) => (maybe(0.3) ? text.toUpperCase() : text);
const anyValue = (of) => {
  const own = [...(values.get(of) ?? [])];
  if (!own.length || maybe(0.1)) return pick(["none such", "true", "default", "0", ""]);
  return cased(pick(own));
};
const plain = (text) => !text.includes(",") && text.trim() === text && text !== "";

const aFilter = () => {
  const filter = {};
  const lists = {};
  for (const of of new Set(some([key(), key(), key()], 3))) {
    if (maybe(0.2)) filter[of] = CATALOG_FILTER_EXISTS;
    else if (maybe(0.3)) lists[of] = some([0, 1, 2], 3).map(() => anyValue(of)).filter(plain);
    else {
      const value = anyValue(of);
      filter[of] = plain(value) ? value : CATALOG_FILTER_EXISTS;
    }
  }
  // The in-memory catalog returns at the first list and looks at nothing behind it: one list, and it stands last.
  const [last] = Object.keys(lists).filter((of) => lists[of].length);
  return last ? { ...filter, [last]: lists[last] } : Object.keys(filter).length ? filter : { kind: "component" };
};
const filters = () => (maybe(0.3) ? undefined : maybe(0.3) ? [aFilter(), aFilter()] : aFilter());

// Predicates look at the entity itself there, and at the search table in Backstage's server: asked are places where both
// are the same, which is a text, number or true/false that stands at the path alone, and lists of texts for $contains.
const scalars = new Map();
const lists = new Map();
const visitPlaces = (path, value) => {
  if (["attachments", "relations", "status", "metadata.etag"].includes(path)) return;
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item === "string")) lists.set(path, [...(lists.get(path) ?? []), ...value]);
    else lists.delete(path);
  } else if (value !== null && typeof value === "object") {
    for (const [name, inner] of Object.entries(value)) visitPlaces(path ? `${path}.${name}` : name, inner);
  } else if (value !== null && String(value).length <= MOST_VALUE && path !== "metadata.namespace")
    scalars.set(path, [...(scalars.get(path) ?? []), value]);
};
for (const entity of all) visitPlaces("", entity);
for (const path of [...scalars.keys()]) {
  // Not where another entity has a list, a map or nothing at the same place, nor a text in one and a number in another.
  const odd = all.some((entity) => {
    const at = path.split(".").reduce((value, _) => value, entity);
    return at === undefined;
  });
  const kinds = new Set(scalars.get(path).map((value) => typeof value));
  if (odd || kinds.size > 1 || repeated.has(path.toLowerCase()) || lists.has(path) || long.has(path.toLowerCase())) scalars.delete(path);
}
const nulls = new Set();
for (const found of known.values()) for (const [of, value] of found) if (value === null) nulls.add(of);
for (const path of nulls) scalars.delete(path);
const targets = all.flatMap((entity) => entity.relations ?? []);
const aMatcher = () => {
  if (maybe(0.15) && targets.length) {
    const { type, targetRef } = pick(targets);
    const target = maybe(0.3) ? {} : { targetRef: maybe(0.5) ? targetRef : { $in: [targetRef, pick(targets).targetRef] } };
    return { relations: { $contains: { type, ...target } } };
  }
  if (maybe(0.15) && lists.size) {
    const [path, items] = pick([...lists]);
    if (items.length) return { [path]: { $contains: cased(pick(items)) } };
  }
  const [path, found] = pick([...scalars]);
  const value = () => (typeof pick(found) === "string" ? cased(pick(found)) : pick(found));
  if (maybe(0.2)) return { [path]: { $exists: maybe(0.6) } };
  if (maybe(0.25)) return { [path]: { $in: [value(), value()] } };
  if (maybe(0.25) && found.every((each) => typeof each === "string"))
    return { [path]: { $hasPrefix: cased(pick(found).slice(0, 1 + below(6))) } };
  return { [path]: value() };
};
const aPredicate = (depth = 0) => {
  const shape = random();
  if (depth > 2 || shape < 0.4) return aMatcher();
  if (shape < 0.6) return { $all: some([1, 1, 1], 3).map(() => aPredicate(depth + 1)) };
  if (shape < 0.8) return { $any: some([1, 1, 1], 3).map(() => aPredicate(depth + 1)) };
  if (shape < 0.92) return { $not: aPredicate(depth + 1) };
  return { ...aMatcher(), ...aMatcher() };
};
const fields = () => (maybe(0.8) ? undefined : some(["kind", "metadata.name", "spec", "metadata.annotations", "spec.type", "metadata.tags"], 3));
// Of several values Backstage's server orders by each of them, the in-memory catalog by the first, we by the
// least, going down by the greatest.
// An entity whose value is null or longer than can be compared is last here, and left out there.
const blank = new Set();
for (const found of known.values()) for (const [of, value] of found) if (value === null) blank.add(of);
const orderKeys = keys.filter((of) => ![repeated, long].some((odd) => odd.has(of.toLowerCase())) && !blank.has(of));
const order = () => ({ field: maybe(0.5) ? pick(["metadata.name", "kind", "spec.type", "spec.lifecycle", "metadata.title"].filter((of) => orderKeys.includes(of))) : pick(orderKeys), order: pick(["asc", "desc"]) });

// --- comparing ---

const differences = [];
const note = (kind, request, ours, other) => {
  if (differences.length < 20) differences.push({ kind, request: show(request), ours, theirs: other });
};
const show = (request) => JSON.parse(JSON.stringify(request, (_, value) => (typeof value === "symbol" ? "(exists)" : value)));
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const sorted = (items) => [...items].sort();
const valueOf = (entity, field) => {
  const row = known.get(entity)?.find(([of]) => of.toLowerCase() === field.toLowerCase());
  return row?.[1] === null || row?.[1] === undefined ? null : row[1].toLowerCase();
};
const byRef = new Map(all.map((entity) => [refOf(entity), entity]));
// In the order asked for, and among equals in any: the ties are broken by what only the server knows.
const inOrder = (refs, orders) => {
  const rank = (ref) => orders.map(({ field }) => valueOf(byRef.get(ref), field));
  for (let i = 1; i < refs.length; i++) {
    const [before, after] = [rank(refs[i - 1]), rank(refs[i])];
    for (let k = 0; k < orders.length; k++) {
      if (before[k] === after[k]) continue;
      if (before[k] === null) return false;
      if (after[k] === null) break;
      if (before[k] < after[k] !== (orders[k].order === "asc")) return false;
      break;
    }
  }
  return true;
};

const text = (item) => JSON.stringify(sortedKeys(item ?? null));
const whole = new InMemoryCatalogClient({ entities: all });
// The entities themselves, with the fields that the in-memory catalog would keep.
const cut = async (refs, fields) => (await whole.getEntitiesByRefs({ entityRefs: refs.map((ref) => ref ?? "none:none/none"), fields })).items;

const ask = {
  async list() {
    const orders = maybe(0.5) ? undefined : maybe(0.3) ? [order(), order()] : [order()];
    const request = { filter: filters(), order: orders, fields: fields() };
    if (maybe(0.4)) [request.limit, request.offset] = [1 + below(20), below(10)];
    const [ours, other] = [(await api.getEntities(request, options)).items, (await theirs.getEntities({ ...inTheirs(request), fields: undefined })).items];
    if (request.fields) {
      const wanted = (await cut(other.map(refOf), request.fields)).map(text);
      const alike = orders ? request.limit || same(sorted(ours.map(text)), sorted(wanted)) : same(ours.map(text), wanted);
      return alike || note("list", request, ours, wanted);
    }
    const [mine, its] = [ours.map(refOf), other.map(refOf)];
    // Equals stand in any order: in a window, other equals may be inside it.
    const values = (refs) => refs.map((ref) => (orders ?? []).map(({ field }) => valueOf(byRef.get(ref), field)));
    const alike = orders ? same(values(mine), values(its)) && (request.limit || same(sorted(mine), sorted(its))) : same(mine, its);
    if (!alike) note("list", request, mine, its);
  },
  async pages() {
    const asked = maybe(0.7) ? { filter: filters() } : { query: aPredicate() };
    const first = maybe(0.6) ? order() : undefined;
    if (first) asked.orderFields = first;
    if (maybe(0.3)) {
      const field = maybe(0.5) ? undefined : some(["metadata.name", "metadata.description", "spec.owner", "metadata.title"], 2);
      const word = pick(["pay", "a", "ing", "Core", "-", "%", "_", "team", pick(all).metadata.name.slice(1, 4)]);
      asked.fullTextFilter = { term: cased(word), ...(field && { fields: field }) };
    }
    // With an order Backstage's server leaves out who has nothing there; the in-memory catalog puts them last.
    const there = first ? all.filter((entity) => valueOf(entity, first.field) !== null) : all;
    // A text without fields and order is sought in uids by Backstage, where nobody looks for one; in names by us.
    const text = asked.fullTextFilter && !asked.fullTextFilter.fields && !first ? { fullTextFilter: { ...asked.fullTextFilter, fields: ["metadata.name"] } } : {};
    const expected = sorted((await held(there).queryEntities(inTheirs({ ...asked, ...text }))).items.map(refOf));
    const limit = pick([1, 3, 7, 50]) * (expected.length > 60 ? 10 : 1);
    let page = await api.queryEntities({ ...asked, limit }, options);
    const pages = [page.items.map(refOf)];
    if (page.totalItems !== expected.length) note("total", asked, page.totalItems, expected.length);
    while (page.pageInfo.nextCursor && pages.length < 200) {
      page = await api.queryEntities({ cursor: page.pageInfo.nextCursor, limit }, options);
      pages.push(page.items.map(refOf));
    }
    const walked = pages.flat();
    if (!same(sorted(walked), expected)) return note("pages", { ...asked, limit }, sorted(walked), expected);
    if (first && !inOrder(walked, [first])) note("order", { ...asked, limit }, walked, null);
    for (let at = pages.length - 2; at >= 0 && page.pageInfo.prevCursor; at--) {
      page = await api.queryEntities({ cursor: page.pageInfo.prevCursor, limit }, options);
      if (!same(page.items.map(refOf), pages[at])) return note("back", { ...asked, limit, at }, page.items.map(refOf), pages[at]);
    }
    if (pages.length > 1 && page.pageInfo.prevCursor) note("back", { ...asked, limit }, "a page before the first", null);
  },
  async refs() {
    const refs = some(all, 12).map(refOf).concat(maybe(0.3) ? ["component:default/none-such"] : []);
    const request = { entityRefs: refs, ...(maybe(0.5) ? { filter: aFilter() } : maybe(0.5) ? { query: aPredicate() } : {}), fields: fields() };
    const ours = (await api.getEntitiesByRefs(request, options)).items;
    const other = (await theirs.getEntitiesByRefs({ ...inTheirs(request), fields: undefined })).items;
    const wanted = await cut(other.map((entity) => entity && refOf(entity)), request.fields);
    if (!same(ours.map(text), wanted.map(text))) note("refs", request, ours, wanted);
  },
  async facets() {
    const facets = [...new Set(some([key(), key(), "kind", "metadata.tags", "nothing.here"], 3))].filter((of) => !long.has(of.toLowerCase()));
    if (!facets.length) facets.push("kind");
    const request = { facets, ...(maybe(0.7) ? { filter: aFilter() } : { query: aPredicate() }) };
    const [ours, other] = [(await api.getEntityFacets(request, options)).facets, (await theirs.getEntityFacets(inTheirs(request))).facets];
    // Names, namespaces, uids and relations are lower case in the in-memory catalog; as written in Backstage's server.
    const shape = (found) => Object.fromEntries(Object.entries(found).map(([of, counts]) => {
      const folds = /^(metadata\.(name|namespace|uid)|relations\..*)$/i.test(of);
      const sums = {};
      for (const { value, count } of counts) sums[folds ? value.toLowerCase() : value] = (sums[folds ? value.toLowerCase() : value] ?? 0) + count;
      return [of, Object.entries(sums).sort(([a], [b]) => (a < b ? -1 : 1))];
    }));
    if (!same(shape(ours), shape(other))) note("facets", request, shape(ours), shape(other));
  },
};
const sortedKeys = (value) =>
  value === null || typeof value !== "object" ? value
    : Array.isArray(value) ? value.map(sortedKeys)
      : Object.fromEntries(Object.keys(value).sort().map((of) => [of, sortedKeys(value[of])]));

const asked = {};
for (let n = 0; n < Number(questions); n++) {
  const kind = pick(["list", "list", "pages", "pages", "pages", "refs", "facets"]);
  asked[kind] = (asked[kind] ?? 0) + 1;
  await ask[kind]();
}
console.log(JSON.stringify({ entities: all.length, keys: keys.length, asked, differences }));

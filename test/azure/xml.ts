/** A small strict XML reader for the policy files: it accepts less than XML allows, and nothing that XML forbids. */
export interface XmlElement {
  name: string;
  attributes: Record<string, string>;
  children: XmlElement[];
  /** Character data of this element, entities resolved. */
  text: string;
}

const NAME = /[A-Za-z_][\w.-]*/y;
const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** @throws SyntaxError at the first place where the text is not well-formed */
export function parseXml(text: string): XmlElement {
  let position = 0;
  const fail = (message: string): never => {
    throw new SyntaxError(`${message} at line ${text.slice(0, position).split('\n').length}`);
  };
  const take = (expected: string): boolean => {
    const found = text.startsWith(expected, position);
    if (found) position += expected.length;
    return found;
  };
  const takeName = (): string => {
    NAME.lastIndex = position;
    const name = NAME.exec(text)?.[0] ?? fail('Expected a name');
    position += name.length;
    return name;
  };
  const skipSpace = (): boolean => {
    const start = position;
    while (/\s/.test(text[position] ?? '')) position += 1;
    return position > start;
  };
  const takeUntil = (end: string): string => {
    const found = text.indexOf(end, position);
    if (found < 0) fail(`Expected ${end}`);
    const taken = text.slice(position, found);
    position = found + end.length;
    return taken;
  };
  const decode = (raw: string): string => {
    if (raw.includes('<')) fail('A bare < in text or an attribute');
    return raw.replaceAll(/&([^;&\s]*;?)/g, (_, reference: string) => {
      return ENTITIES[reference.slice(0, -1)] ?? fail(`Unknown entity &${reference}`);
    });
  };
  const skipComment = (): boolean => {
    if (!take('<!--')) return false;
    if (takeUntil('-->').includes('--')) fail('-- inside a comment');
    return true;
  };
  const parseElement = (): XmlElement => {
    if (!take('<')) fail('Expected an element');
    const element: XmlElement = { name: takeName(), attributes: {}, children: [], text: '' };
    while (skipSpace() && /[A-Za-z_]/.test(text[position] ?? '')) {
      const name = takeName();
      if (name in element.attributes) fail(`Attribute ${name} stands twice`);
      if (!take('="')) fail(`Attribute ${name} has no quoted value`);
      element.attributes[name] = decode(takeUntil('"'));
    }
    if (take('/>')) return element;
    if (!take('>')) fail(`Element ${element.name} is not closed`);
    while (!take('</')) {
      if (skipComment()) continue;
      if (text[position] === '<') {
        element.children.push(parseElement());
        continue;
      }
      const end = text.indexOf('<', position);
      if (end < 0) fail(`Element ${element.name} has no end`);
      element.text += decode(text.slice(position, end));
      position = end;
    }
    if (takeName() !== element.name) fail(`The end of ${element.name} does not match`);
    skipSpace();
    if (!take('>')) fail('Expected >');
    return element;
  };
  const skipBetween = () => {
    while (skipSpace() || skipComment());
  };
  skipBetween();
  const root = parseElement();
  skipBetween();
  if (position < text.length) fail('Something follows the root element');
  return root;
}

/** The element and everything below it, in document order. */
export function flatten(element: XmlElement): XmlElement[] {
  return [element, ...element.children.flatMap(flatten)];
}

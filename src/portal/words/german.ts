import type { PortalWords } from './english.ts';

const many = (count: number, one: string, more: string, shown: string) =>
  `${shown} ${count === 1 ? one : more}`;

/** All that the portal says, in German. */
export const GERMAN: PortalWords = {
  language: 'de',
  tokens: {
    prompt: 'Eingabe-Token',
    prompt_cached: 'Eingabe-Token aus dem Cache',
    prompt_audio: 'Audio-Eingabe-Token',
    prompt_image: 'Bild-Eingabe-Token',
    prompt_cached_audio: 'Audio-Eingabe-Token aus dem Cache',
    prompt_cache_write_5m: 'Token, für 5 Minuten in den Cache geschrieben',
    prompt_cache_write_1h: 'Token, für 1 Stunde in den Cache geschrieben',
    completion: 'Ausgabe-Token',
    completion_audio: 'Audio-Ausgabe-Token',
    completion_image: 'Bild-Ausgabe-Token',
  },
  anyModel: 'alle Modelle',
  forFeature: (usage, feature) => `${usage} für ${feature}`,

  frame: {
    skip: 'Zum Inhalt',
    pages: 'Seiten',
    usage: 'Verbrauch und Kosten',
    userUsage: 'Mein Verbrauch',
    hours: 'Stunde für Stunde',
    dataAsOf: (instant) => `Stand: ${instant}.`,
    neverCollected: 'Es wurde noch kein Verbrauch erfasst.',
    days: 'Tage sind Tage in UTC, so wie sie abgerechnet werden.',
    contact: (contact) => `Fragen? ${contact}`,
  },

  table: {
    rows: (count, shown) => many(count, 'Zeile', 'Zeilen', shown),
    asCsv: (caption) => `${caption} als CSV`,
    filter: 'Anzeigen',
    all: 'alle',
    nothingMatches: 'Nichts passt dazu.',
    showAll: 'Alle anzeigen',
    before: 'Zurück',
    next: 'Weiter',
    pages: 'Seiten der Tabelle',
    pageOf: (page, pages) => `Seite ${page} von ${pages}`,
    day: 'Tag',
    model: 'Modell',
    feature: 'Funktion',
    user: 'Person',
    tokens: 'Token',
    requests: 'Anfragen',
    amount: 'Betrag',
    share: 'Anteil',
    findUser: 'Person',
  },

  unknown: 'unbekannt',
  noFeature: 'Ohne Angabe der Funktion',
  noUser: 'Ohne Angabe der Person',
  noModel: 'Ohne Angabe des Modells',
  rest: {
    base: 'Grundbeträge',
    notDivided: 'Nicht aufgeteilt',
    notBilled: 'Nicht in diesen Positionen',
  },

  period: {
    title: (period) => `Verbrauch und Kosten, ${period}`,
    none: 'Verbrauch und Kosten',
    noneYet: 'Es läuft kein Abonnement; eine nächste Rechnung hätte keinen Inhalt.',
    soFar: 'Kosten bisher',
    atEnd: 'Kosten am Ende des Zeitraums',
    range: (low, high) => `${low} bis ${high}`,
    rangeNote: (expected) => `in 8 von 10 Fällen; etwa ${expected}, wenn es so weitergeht`,
    beforeTaxes: 'vor Rabatten und Steuern',
    afterTaxes: (amount) => `${amount} mit Rabatten und Steuern`,
    tooLittleHistory: 'Noch zu früh: Eine Schätzung braucht 14 volle Tage mit Verbrauch.',
    isOver: 'Der Zeitraum ist vorbei.',
    noPrice: 'Nicht bekannt: Ein Teil des Verbrauchs hat noch keinen Preis.',
    tokens: 'Token',
    allowance: 'Vom Freikontingent verbraucht',
    noAllowance: 'Ihr Tarif hat keines.',
    withoutFees: 'Feste Gebühren, falls Ihr Tarif welche hat, sind in diesen Zahlen gerade nicht enthalten.',
    feesAsOf: (instant) => `Feste Gebühren, Nachlässe und Steuern haben den Stand von ${instant}.`,
    openHours: (count, shown) =>
      count === 1
        ? 'Eine Stunde wird noch gezählt; ihr Verbrauch folgt.'
        : `${shown} Stunden werden noch gezählt; ihr Verbrauch folgt.`,
    waiting: (tokens) => `${tokens} Token werden noch geprüft und sind in diesen Zahlen nicht enthalten.`,
  },

  allowances: {
    title: 'Was Ihr Tarif enthält',
    used: (used, included) => `${used} von ${included} enthaltenen Token verbraucht`,
    left: (left) => `noch ${left}`,
    spent: 'alles verbraucht',
    shared: (share) =>
      `Davon sind noch ${share} übrig. Das Kontingent teilen sich alle in Ihrer Organisation; es kann also auch ohne Sie kleiner werden.`,
    sharedSpent: 'Davon ist nichts mehr übrig. Das Kontingent teilen sich alle in Ihrer Organisation.',
    none: 'Ihr Tarif enthält keine freien Token; es kann also nichts zu Ende gehen.',
  },

  days: {
    costTitle: 'Kosten nach Tag und Modell',
    tokensTitle: 'Token nach Tag und Modell',
    costDescription: (total, busiest) => `Insgesamt ${total}; am meisten am ${busiest}.`,
    tokensDescription: (total, busiest) => `Insgesamt ${total} Token; am meisten am ${busiest}.`,
    nothing: 'In diesem Zeitraum wurde bisher nichts verbraucht.',
    otherModels: 'Andere Modelle',
    asTable: 'Dasselbe als Tabelle',
    pick: 'Tage wählen',
    pickHint: 'Wählen Sie in der Zeichnung einen Tag, oder ziehen Sie über mehrere.',
    from: 'Von',
    to: 'Bis',
    show: 'Diese Tage zeigen',
    whole: 'Den ganzen Zeitraum zeigen',
    picked: (span) => `Nur ${span}`,
    pickedSums: (amount, tokens) => `${amount} für ${tokens} Token.`,
    span: (from, to) => `${from} bis ${to}`,
    hours: 'Stunde für Stunde',
  },

  parts: {
    byDay: 'Nach Tag',
    byModel: 'Nach Modell',
    byFeature: 'Nach Funktion',
    byUser: 'Nach Person',
    empty: 'Hier wurde nichts verbraucht.',
  },

  lines: {
    soFar: 'Positionen der nächsten Rechnung, Stand jetzt',
    final: 'Positionen der Rechnung',
    line: 'Position',
    price: 'Preis',
    included: 'enthalten',
    late: (from, to) => `verbraucht ${from} bis ${to}, kam zu spät für die eigene Rechnung`,
    perMillion: (amount) => `${amount} je Million`,
    other: 'Andere Positionen',
    usage: 'Verbrauch dieses Zeitraums',
    adjustments: 'Rabatte, Gutschriften und Steuern',
    total: 'Summe',
    empty: 'Es gibt noch keine Positionen.',
    minimum: (plan) => `Bis zum Mindestbetrag von ${plan}`,
  },

  plan: {
    title: 'Ihr Tarif in einfachen Worten',
    named: (plan) => `Sie haben den Tarif „${plan}“.`,
    perMillion: (usage, amount) => `${usage}: ${amount} für eine Million.`,
    free: (usage) => `${usage}: kostenlos.`,
    package: (usage, size, amount, isUp) =>
      `${usage}: ${amount} für je ${size}${isUp ? ', auch angefangene' : ', nur volle'}.`,
    graduated: (usage, steps) => `${usage}: ${steps.join('; ')}.`,
    volume: (usage, steps) =>
      `${usage}, alles zum Preis der Stufe, die am Ende erreicht ist: ${steps.join('; ')}.`,
    stepIncluded: (upTo) => `die ersten ${upTo} sind enthalten`,
    stepUpTo: (upTo, amount) => `bis ${upTo} ${amount} für eine Million`,
    stepAbove: (amount) => `danach ${amount} für eine Million`,
    stepAboveFree: 'danach kostenlos',
    stepFlat: (step, amount) => `${step}, dazu einmal ${amount}`,
    notSaid: (usage) => `${usage}: ein Preis, den erst die Rechnung nennt.`,
    other: (name) => `${name}: wie auf Ihrer Rechnung.`,
    minimum: (plan, amount) => `${plan}: mindestens ${amount} je Zeitraum.`,
    trial: (until) => `Kostenlos bis ${until}: eine Probezeit.`,
    empty: 'Es läuft kein Abonnement.',
  },

  invoices: {
    title: 'Rechnungen',
    number: 'Rechnung',
    unnumbered: 'noch ohne Nummer',
    period: 'Zeitraum',
    state: 'Stand',
    amount: 'Betrag',
    states: {
      draft: 'wird erstellt',
      open: 'offen',
      paid: 'bezahlt',
      void: 'storniert',
      uncollectible: 'nicht eingezogen',
    },
    empty: 'Es gibt noch keine Rechnungen.',
    back: 'Zum laufenden Zeitraum',
  },

  invoice: {
    title: (number) => `Rechnung ${number}`,
    unnumbered: (period) => `Rechnung für ${period}`,
    total: 'Summe der Rechnung',
    toPay: 'Zu zahlen',
    toPayNote: 'nach Gutschriften und Zahlungen',
    draft: 'Die Rechnung wird erstellt und kann sich noch ändern.',
    voided: 'Diese Rechnung wurde storniert: Davon ist nichts zu zahlen.',
    chosen: {
      invoiced: 'Der Verbrauch gilt als abgerechnet.',
      due_again: 'Der Verbrauch wird mit einer späteren Rechnung erneut abgerechnet.',
      written_off: 'Der Verbrauch wird nicht mehr abgerechnet.',
    },
    missed: (usage, tokens, isOnLater) =>
      `${tokens} ${usage} dieses Zeitraums kamen zu spät für diese Rechnung und ${isOnLater ? 'stehen auf einer späteren' : 'werden auf der nächsten stehen'}.`,
    certificate: (hash) =>
      `Abgeschlossen mit Zertifikat ${hash}: Quelle, Zähler und Rechnung stimmten überein.`,
    csv: 'Alles als CSV',
    rounding:
      'Jede Position wird einmal gerundet. Die Tabellen teilen den Betrag einer Position nach Token auf, bei Staffeln zum Durchschnittspreis, sodass jede Tabelle die Positionen ergibt.',
  },

  hours: {
    title: (day) => `Stunde für Stunde, ${day}`,
    lead: (zone) =>
      `Die 24 Stunden eines Tages in UTC, so wie er abgerechnet wird, jede mit ihrer Uhrzeit in ${zone}. Abgeschlossener Verbrauch; die neuesten Stunden folgen.`,
    day: 'Tag (UTC)',
    zone: 'Zeitzone',
    show: 'Anzeigen',
    chart: 'Token nach Stunde und Modell',
    description: (total) => `Insgesamt ${total} Token.`,
    nothing: 'An diesem Tag wurde nichts verbraucht.',
    table: 'Stunden',
    hour: 'Stunde',
    earlier: 'Der Tag davor',
    later: 'Der Tag danach',
  },

  user: {
    title: (period) => `Mein Verbrauch, ${period}`,
    tokens: 'Verbrauchte Token',
    models: 'Genutzte Modelle',
    left: 'Was noch übrig ist',
    none: 'Es läuft kein Abonnement; gezählt wird noch nichts.',
    nothing: 'Sie haben in diesem Zeitraum bisher nichts verbraucht.',
    noInvoice: 'Was es kostet, steht auf der Rechnung Ihrer Organisation.',
  },

  missing: {
    title: 'Hier ist nichts',
    text: 'Keine Ihrer Seiten hat diese Adresse.',
    back: 'Zur ersten Seite',
  },
  ended: {
    title: 'Ihr Besuch ist beendet',
    text: 'Zu Ihrer Sicherheit ist diese Seite nur für begrenzte Zeit geöffnet.',
    again: 'Öffnen Sie sie noch einmal von dort, woher Sie kamen, oder bitten Sie um einen neuen Link.',
    ask: (contact) => `Wen Sie fragen können: ${contact}`,
  },
  waiting: {
    title: 'Diese Seite wird vorbereitet',
    text: 'Die Rechnung ist gerade nicht lesbar. Bitte kommen Sie in einigen Minuten wieder.',
  },
  failed: {
    title: 'Diese Seite lässt sich nicht zeigen',
    text: 'Der Fehler liegt bei uns. Bitte versuchen Sie es gleich noch einmal.',
    reference: (id) => `Falls es so bleibt, nennen Sie diese Kennung: ${id}`,
  },
};

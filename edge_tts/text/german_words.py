"""What German calls things: tables only."""

from __future__ import annotations

from edge_tts.text.rules import word_set

MONTHS = (
    "Januar", "Februar", "März", "April", "Mai", "Juni",
    "Juli", "August", "September", "Oktober", "November", "Dezember",
)  # fmt: skip
MONTH_ABBREVIATIONS = {month[:3]: month for month in MONTHS if month != "Mai"} | {
    "Sept": "September",
    "Mrz": "März",
    "Jänner": "Jänner",
}
DAYS = {
    "Mo": "Montag", "Di": "Dienstag", "Mi": "Mittwoch", "Do": "Donnerstag", "Fr": "Freitag", "Sa": "Samstag",
    "So": "Sonntag",
}  # fmt: skip

MASCULINE = {
    "km": "Kilometer", "m": "Meter", "cm": "Zentimeter", "mm": "Millimeter", "µm": "Mikrometer", "nm": "Nanometer",
    "km²": "Quadratkilometer", "m²": "Quadratmeter", "qm": "Quadratmeter", "m2": "Quadratmeter",
    "m3": "Kubikmeter", "km2": "Quadratkilometer",
    "EL": "Esslöffel", "TL": "Teelöffel", "cm²": "Quadratzentimeter",
    "mm²": "Quadratmillimeter", "m³": "Kubikmeter", "cm³": "Kubikzentimeter", "l": "Liter", "L": "Liter",
    "ml": "Milliliter", "cl": "Zentiliter", "dl": "Deziliter", "hl": "Hektoliter", "ha": "Hektar", "Ct": "Cent",
    "ct": "Cent", "lm": "Lumen",
}  # fmt: skip
NEUTER = {
    "kg": "Kilogramm", "g": "Gramm", "mg": "Milligramm", "µg": "Mikrogramm", "W": "Watt", "kW": "Kilowatt",
    "MW": "Megawatt", "GW": "Gigawatt", "mW": "Milliwatt", "kWp": "Kilowatt Peak", "V": "Volt", "mV": "Millivolt",
    "kV": "Kilovolt", "A": "Ampere", "mA": "Milliampere", "Ω": "Ohm", "kΩ": "Kiloohm", "J": "Joule",
    "kJ": "Kilojoule", "MJ": "Megajoule", "Pa": "Pascal", "hPa": "Hektopascal", "kPa": "Kilopascal", "bar": "Bar",
    "mbar": "Millibar", "dB": "Dezibel", "dBm": "Dezibel Milliwatt", "Hz": "Hertz", "kHz": "Kilohertz",
    "MHz": "Megahertz", "GHz": "Gigahertz", "B": "Byte", "kB": "Kilobyte", "KB": "Kilobyte", "MB": "Megabyte",
    "GB": "Gigabyte", "TB": "Terabyte", "KiB": "Kibibyte", "MiB": "Mebibyte", "GiB": "Gibibyte", "kbit": "Kilobit",
    "Mbit": "Megabit", "Gbit": "Gigabit", "lx": "Lux", "lux": "Lux", "Lux": "Lux", "%": "Prozent", "‰": "Promille",
    "°": "Grad", "°C": "Grad Celsius", "℃": "Grad Celsius", "°F": "Grad Fahrenheit", "℉": "Grad Fahrenheit",
    "K": "Kelvin", "px": "Pixel", "Mol": "Mol", "mol": "Mol",
}  # fmt: skip
FEMININE = {
    "h": ("Stunde", "Stunden"), "Std": ("Stunde", "Stunden"), "min": ("Minute", "Minuten"),
    "Min": ("Minute", "Minuten"), "s": ("Sekunde", "Sekunden"), "sek": ("Sekunde", "Sekunden"),
    "Sek": ("Sekunde", "Sekunden"), "ms": ("Millisekunde", "Millisekunden"), "µs": ("Mikrosekunde", "Mikrosekunden"),
    "t": ("Tonne", "Tonnen"), "Wh": ("Wattstunde", "Wattstunden"), "kWh": ("Kilowattstunde", "Kilowattstunden"),
    "MWh": ("Megawattstunde", "Megawattstunden"), "GWh": ("Gigawattstunde", "Gigawattstunden"),
    "Ah": ("Amperestunde", "Amperestunden"), "mAh": ("Milliamperestunde", "Milliamperestunden"),
    "kcal": ("Kilokalorie", "Kilokalorien"), "U/min": ("Umdrehung pro Minute", "Umdrehungen pro Minute"),
    "sm": ("Seemeile", "Seemeilen"),
}  # fmt: skip
UNITS: dict[str, tuple[str, str, str]] = (
    # written: gender m, n or f, one, many
    {written: ("m", name, name) for written, name in MASCULINE.items()}
    | {written: ("n", name, name) for written, name in NEUTER.items()}
    | {written: ("f", one, many) for written, (one, many) in FEMININE.items()}
    | {
        "ppm": ("n", "Teil pro Million", "Teile pro Million"),
        "ppb": ("n", "Teil pro Milliarde", "Teile pro Milliarde"),
        "Mbps": ("n", "Megabit pro Sekunde", "Megabit pro Sekunde"),
        "Gbps": ("n", "Gigabit pro Sekunde", "Gigabit pro Sekunde"),
        "km/h": ("m", "Stundenkilometer", "Kilometer pro Stunde"),
    }
)

CURRENCIES: dict[str, tuple[str, str]] = {
    # written: name, name of a hundredth ("" where people do not use them)
    "€": ("Euro", "Cent"), "EUR": ("Euro", "Cent"), "Euro": ("Euro", "Cent"), "$": ("Dollar", "Cent"),
    "US$": ("U S Dollar", "Cent"), "USD": ("U S Dollar", "Cent"), "£": ("Pfund", "Pence"), "GBP": ("Pfund", "Pence"),
    "CHF": ("Franken", "Rappen"), "Fr.": ("Franken", "Rappen"), "¥": ("Yen", ""), "JPY": ("Yen", ""),
    "CNY": ("Yuan", ""), "₹": ("Rupien", ""), "₿": ("Bitcoin", ""),
}  # fmt: skip
MAGNITUDES = {
    # written: feminine one, many; "" for one that is not feminine
    "Mio": ("Million", "Millionen"), "Mio.": ("Million", "Millionen"), "Millionen": ("Million", "Millionen"),
    "Million": ("Million", "Millionen"), "Mrd": ("Milliarde", "Milliarden"), "Mrd.": ("Milliarde", "Milliarden"),
    "Milliarden": ("Milliarde", "Milliarden"), "Milliarde": ("Milliarde", "Milliarden"),
    "Bio.": ("Billion", "Billionen"), "Billionen": ("Billion", "Billionen"), "Tsd.": ("", "tausend"),
    "Tsd": ("", "tausend"), "tausend": ("", "tausend"),
}  # fmt: skip

ABBREVIATIONS = {
    "z. B.": "zum Beispiel", "z.B.": "zum Beispiel", "d. h.": "das heißt", "d.h.": "das heißt",
    "u. a.": "unter anderem", "u.a.": "unter anderem", "i. d. R.": "in der Regel", "i.d.R.": "in der Regel",
    "o. ä.": "oder Ähnliches", "o.ä.": "oder Ähnliches", "u. U.": "unter Umständen", "u.U.": "unter Umständen",
    "v. a.": "vor allem", "v.a.": "vor allem", "s. o.": "siehe oben", "s.o.": "siehe oben", "s. u.": "siehe unten",
    "s.u.": "siehe unten", "z. T.": "zum Teil", "z.T.": "zum Teil", "z. Zt.": "zurzeit", "z.Zt.": "zurzeit",
    "n. Chr.": "nach Christus", "v. Chr.": "vor Christus", "m. E.": "meines Erachtens", "i. A.": "im Auftrag",
    "usw.": "und so weiter", "Dr. h. c.": "Doktor honoris causa",
    "usf.": "und so fort", "bzw.": "beziehungsweise", "ca.": "circa", "etc.": "et cetera",
    "ggf.": "gegebenenfalls", "evtl.": "eventuell", "inkl.": "inklusive", "exkl.": "exklusive",
    "zzgl.": "zuzüglich", "abzgl.": "abzüglich", "max.": "maximal", "min.": "minimal", "mind.": "mindestens",
    "vgl.": "vergleiche", "sog.": "sogenannte", "bzgl.": "bezüglich", "lt.": "laut", "gem.": "gemäß",
    "geb.": "geboren", "Tel.": "Telefon", "tel.": "telefonisch", "Str.": "Straße", "Pl.": "Platz",
    "MwSt.": "Mehrwertsteuer", "Jh.": "Jahrhundert", "Std.": "Stunden", "Min.": "Minuten", "Sek.": "Sekunden",
    "Mio.": "Millionen", "Mrd.": "Milliarden", "Tsd.": "Tausend", "Temp.": "Temperatur", "Abt.": "Abteilung",
    "allg.": "allgemein", "bes.": "besonders", "entspr.": "entsprechend", "tägl.": "täglich", "wg.": "wegen",
    "z. Hd.": "zu Händen", "a. D.": "außer Dienst", "vs.": "gegen", "GmbH": "G m b H", "Hbf.": "Hauptbahnhof",
    "Hbf": "Hauptbahnhof", "p. a.": "pro Jahr", "u. v. m.": "und vieles mehr", "u.v.m.": "und vieles mehr",
}  # fmt: skip
CAN_END_A_SENTENCE = frozenset(
    (
        "o. ä.",
        "o.ä.",
        "n. Chr.",
        "v. Chr.",
        "u. v. m.",
        "u.v.m.",
        "p. a.",
        "a. D.",
        "s. o.",
        "s.o.",
        "s. u.",
        "s.u.",
    )
) | word_set("usw. usf. etc. Str. Pl. Std. Min. Sek. Mio. Mrd. Tsd. MwSt. Jh. Hbf. max. min.")
TITLES = {
    "Dr": "Doktor", "Prof": "Professor", "Hr": "Herr", "Hrn": "Herrn", "Fr": "Frau", "St": "Sankt",
    "Dipl.-Ing": "Diplom-Ingenieur", "Ing": "Ingenieur", "Mr": "Mister", "Mrs": "Missis",
}  # fmt: skip
NUMBERED = {
    "Nr.": "Nummer", "No.": "Nummer", "№": "Nummer", "#": "Nummer", "S.": "Seite", "Kap.": "Kapitel",
    "Bd.": "Band", "Abs.": "Absatz", "Art.": "Artikel", "Abb.": "Abbildung",
}  # fmt: skip

ORDINAL_NOUNS = {
    # what "3." may stand before, by the ending without an article: dritter Stock, dritte Etage, drittes Mal
    "r": word_set(
        "Stock Platz Tag Advent Weihnachtstag Spieltag Geburtstag Versuch Akt Teil Schritt Alarm Termin "
        "Weltkrieg Hochzeitstag Monat Rang Sieg Satz Kreis Feiertag"
    ),
    "": word_set(
        "Etage Klasse Woche Liga Runde Stunde Minute Sekunde Halbzeit Auflage Person Nacht Stufe Ebene "
        "Warnung Tür Mahnung Erinnerung Meldung Version Staffel Folge Reihe"
    ),
    "s": word_set(
        "Obergeschoss Untergeschoss OG UG Mal Jahrhundert Jh Quartal Halbjahr Jahr Kapitel Semester Drittel "
        "Viertel Gleis Kind Zimmer"
    ),
}

SENTENCE_STARTERS = word_set(
    "Der Die Das Den Dem Ein Eine Es Ich Du Er Wir Ihr Sie Bitte Dann Danach Heute Morgen Jetzt Im Am In "
    "An Auf Bei Mit Nach Um Zu Wenn Und Aber Oder Ist Sind Hat Haben Was Wer Wie Wo Alle Noch Nur Kein "
    "Keine Mein Meine Dein Deine Ihre Unser Dort Hier Da Dies Diese Dieser"
)

SIGNS = {
    ".": "Punkt", "/": "Schrägstrich", "@": "ät", "-": "Bindestrich", "_": "Unterstrich", ":": "Doppelpunkt",
    "?": "Fragezeichen", "=": "gleich", "&": "und", "%": "Prozent", "#": "Raute", "~": "Tilde", "+": "plus",
}  # fmt: skip
SYMBOLS = {
    "&": "und", "+": "plus", "=": "gleich", "<": "weniger als", ">": "mehr als", "@": "ät", "§": "Paragraf",
    "~": "ungefähr", "≈": "ungefähr", "±": "plus minus", "×": "mal", "÷": "geteilt durch", "→": "nach",
    "←": "von", "↑": "rauf", "↓": "runter", "↔": "und", "≤": "höchstens", "≥": "mindestens", "≠": "ungleich",
    "/": "Schrägstrich", "%": "Prozent", "°": "Grad", "€": "Euro", "£": "Pfund", "¥": "Yen", "$": "Dollar",
    "−": "minus", "©": "Copyright", "™": "Trademark", "®": "registriert", "∞": "unendlich", "√": "Wurzel aus",
    "µ": "Mikro", "Ω": "Ohm", "#": "Raute", "²": "Quadrat", "³": "hoch drei",
}  # fmt: skip

ACRONYMS = word_set("OK WLAN TÜV DAX ELSTER LASER RADAR AFA BAFÖG")
SPELLED = word_set("ARD ADAC EDV LKW PKW IC RE EC EG OG UG AFD BASF ETF EKG AOK UKW EKZ EZB PM")
SHORT_WORDS = word_set(
    "AB AM AN AUF AUS BEI BIS DA DAS DEM DEN DER DES DIE DU EIN EIS ER ES FÜR GUT ICH IHR IM IN IST JA "
    "MAL MAN MIT NEIN NEU NIE NUN NUR OB ODER OFT RAD ROT SEI SIE SO TAG TOR TÜR UHR UM UND UNS VOM VON "
    "VOR WAR WAS WEG WEN WER WIE WIR WO ZU ZUG ZUM ZUR ALT ALS ALL"
)

KINGS = word_set(
    "Ludwig Friedrich Wilhelm Heinrich Karl Otto Johannes Paul Benedikt Pius Georg Philipp Franz Leopold "
    "Alexander Nikolaus Peter Iwan Charles Napoleon Konrad Maximilian Gregor Albert"
)
QUEENS = word_set("Elisabeth Katharina Maria Margarethe")
NUMBERED_BY_ROMAN = word_set(
    "Kapitel Teil Band Akt Abschnitt Artikel Phase Stufe Anhang Staffel Buch Klasse Typ"
)

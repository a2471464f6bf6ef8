"""What English calls things: tables only."""

from __future__ import annotations

from edge_tts.text.rules import word_set

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
MONTH_ABBREVIATIONS = {month[:3]: month for month in MONTHS if month != "May"} | {"Sept": "September"}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DAY_ABBREVIATIONS = {day[:3]: day for day in DAYS} | {
    "Tues": "Tuesday",
    "Thur": "Thursday",
    "Thurs": "Thursday",
}

UNITS: dict[str, tuple[str, str]] = {
    written: (one, one + "s")
    for written, one in {
        "km": "kilometre", "m": "metre", "cm": "centimetre", "mm": "millimetre", "µm": "micrometre",
        "nm": "nanometre", "mi": "mile", "yd": "yard", "km²": "square kilometre", "m²": "square metre",
        "cm²": "square centimetre", "mm²": "square millimetre", "km³": "cubic kilometre", "m³": "cubic metre",
        "cm³": "cubic centimetre", "sqm": "square metre", "m2": "square metre", "m3": "cubic metre",
        "km2": "square kilometre", "cm3": "cubic centimetre",
        "tbsp": "tablespoon", "tsp": "teaspoon", "ha": "hectare", "l": "litre", "L": "litre",
        "ml": "millilitre", "mL": "millilitre", "cl": "centilitre", "dl": "decilitre", "hl": "hectolitre",
        "gal": "gallon", "kg": "kilogram", "g": "gram", "mg": "milligram", "µg": "microgram", "t": "tonne",
        "lb": "pound", "lbs": "pound", "oz": "ounce", "h": "hour", "hr": "hour", "hrs": "hour", "min": "minute",
        "mins": "minute", "s": "second", "sec": "second", "secs": "second", "ms": "millisecond",
        "µs": "microsecond", "ns": "nanosecond", "W": "watt", "kW": "kilowatt", "MW": "megawatt",
        "GW": "gigawatt", "mW": "milliwatt", "Wh": "watt hour", "kWh": "kilowatt hour", "MWh": "megawatt hour",
        "GWh": "gigawatt hour", "V": "volt", "mV": "millivolt", "kV": "kilovolt",
        "A": "amp", "mA": "milliamp", "Ah": "amp hour", "mAh": "milliamp hour", "VA": "volt amp", "Ω": "ohm",
        "kΩ": "kilohm", "J": "joule", "kJ": "kilojoule", "MJ": "megajoule", "kcal": "kilocalorie",
        "cal": "calorie", "Pa": "pascal", "hPa": "hectopascal", "kPa": "kilopascal", "MPa": "megapascal",
        "mbar": "millibar", "dB": "decibel", "B": "byte", "kB": "kilobyte",
        "KB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte", "PB": "petabyte",
        "KiB": "kibibyte", "MiB": "mebibyte", "GiB": "gibibyte", "TiB": "tebibyte", "kbit": "kilobit",
        "Mbit": "megabit", "Gbit": "gigabit", "lm": "lumen", "°": "degree", "px": "pixel", "mol": "mole",
    }.items()
} | {
    "°C": ("degree Celsius", "degrees Celsius"), "℃": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"), "℉": ("degree Fahrenheit", "degrees Fahrenheit"),
    "K": ("kelvin", "kelvins"), "ft": ("foot", "feet"), "sq ft": ("square foot", "square feet"),
    "Hz": ("hertz", "hertz"), "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"), "lx": ("lux", "lux"), "lux": ("lux", "lux"), "bar": ("bar", "bar"),
    "psi": ("P S I", "P S I"), "kt": ("knot", "knots"), "kn": ("knot", "knots"),
    "ppm": ("part per million", "parts per million"), "ppb": ("part per billion", "parts per billion"),
    "%": ("percent", "percent"), "‰": ("per mille", "per mille"), "%RH": ("percent humidity", "percent humidity"),
    "kbps": ("kilobit per second", "kilobits per second"), "Mbps": ("megabit per second", "megabits per second"),
    "Gbps": ("gigabit per second", "gigabits per second"), "mph": ("mile per hour", "miles per hour"),
    "rpm": ("revolution per minute", "revolutions per minute"),
    "RPM": ("revolution per minute", "revolutions per minute"),
    "kWp": ("kilowatt peak", "kilowatts peak"), "dBm": ("decibel milliwatt", "decibel milliwatts"),
    "¢": ("cent", "cents"), "ct": ("cent", "cents"),
}  # fmt: skip

CURRENCIES: dict[str, tuple[str, str, str, str]] = {
    # written: one, many, one hundredth, many hundredths ("" where people do not use them)
    "$": ("dollar", "dollars", "cent", "cents"),
    "US$": ("U S dollar", "U S dollars", "cent", "cents"),
    "USD": ("U S dollar", "U S dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "EUR": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "GBP": ("pound", "pounds", "penny", "pence"),
    "CHF": ("Swiss franc", "Swiss francs", "centime", "centimes"),
    "¥": ("yen", "yen", "", ""),
    "JPY": ("yen", "yen", "", ""),
    "CNY": ("yuan", "yuan", "", ""),
    "₹": ("rupee", "rupees", "", ""),
    "₿": ("bitcoin", "bitcoins", "", ""),
}
MAGNITUDES = {
    "k": "thousand", "K": "thousand", "thousand": "thousand", "m": "million", "M": "million", "mn": "million",
    "million": "million", "Mio.": "million", "Mio": "million", "b": "billion", "B": "billion", "bn": "billion",
    "billion": "billion", "Mrd.": "billion", "tn": "trillion", "T": "trillion", "trillion": "trillion",
}  # fmt: skip

TITLES = {
    "Dr": "Doctor", "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Prof": "Professor", "Sr": "Senior",
    "Jr": "Junior", "Capt": "Captain", "Lt": "Lieutenant", "Sgt": "Sergeant", "Mt": "Mount",
}  # fmt: skip
TITLES_WITH_DOT = {
    "St": "Saint", "Gen": "General", "Rev": "Reverend", "Hon": "Honourable", "Gov": "Governor", "Sen": "Senator",
    "Rep": "Representative", "Pres": "President", "Ft": "Fort",
}  # fmt: skip
ABBREVIATIONS = {
    "e.g.": "for example", "i.e.": "that is", "etc.": "et cetera", "vs.": "versus", "vs": "versus",
    "approx.": "approximately",
    "incl.": "including", "excl.": "excluding", "dept.": "department", "Dept.": "Department", "est.": "estimated",
    "max.": "maximum", "min.": "minimum", "avg.": "average", "temp.": "temperature", "Inc.": "Incorporated",
    "Ltd.": "Limited", "Corp.": "Corporation", "Co.": "Company", "Bros.": "Brothers", "Ave.": "Avenue",
    "Blvd.": "Boulevard", "Rd.": "Road", "Hwy.": "Highway", "Apt.": "Apartment", "Rm.": "Room", "Ext.": "Extension",
    "ext.": "extension", "govt.": "government", "tel.": "telephone", "Tel.": "Telephone", "w/": "with",
    "w/o": "without", "a.k.a.": "also known as", "cf.": "compare", "et al.": "and others", "p.a.": "per year",
    "ca.": "about", "misc.": "miscellaneous", "hrs.": "hours", "mins.": "minutes", "secs.": "seconds",
    "Mon-Fri": "Monday to Friday",
}  # fmt: skip
CAN_END_A_SENTENCE = word_set(
    "etc. Inc. Ltd. Corp. Co. Bros. Ave. Blvd. Rd. Hwy. a.k.a. p.a. misc. hrs. mins. secs."
)
NUMBERED = {
    "No.": "number", "no.": "number", "Nos.": "numbers", "Nr.": "number", "№": "number", "p.": "page",
    "pp.": "pages", "vol.": "volume", "Vol.": "Volume", "fig.": "figure", "Fig.": "Figure", "ch.": "chapter",
    "Ch.": "Chapter", "sec.": "section", "Sec.": "Section", "#": "number",
}  # fmt: skip

SIGNS = {
    ".": "dot", "/": "slash", "@": "at", "-": "dash", "_": "underscore", ":": "colon", "?": "question mark",
    "=": "equals", "&": "and", "%": "percent", "#": "hash", "~": "tilde", "+": "plus",
}  # fmt: skip
SYMBOLS = {
    "&": "and", "+": "plus", "=": "equals", "<": "less than", ">": "more than", "@": "at", "§": "section",
    "~": "about", "≈": "about", "±": "plus or minus", "×": "times", "÷": "divided by", "→": "to", "←": "from",
    "↑": "up", "↓": "down", "↔": "and", "≤": "at most", "≥": "at least", "≠": "is not equal to", "/": "slash",
    "%": "percent", "°": "degrees", "€": "euros", "£": "pounds", "¥": "yen", "$": "dollars", "−": "minus",
    "©": "copyright", "™": "trademark", "®": "registered", "∞": "infinity", "√": "square root of", "µ": "micro",
    "Ω": "ohms", "#": "hash", "²": "squared", "³": "cubed",
}  # fmt: skip

ACRONYMS = word_set("AM PM OK LASER RADAR SONAR ZIP SCUBA NAFTA FEMA SWAT YOLO")
SPELLED = word_set("HVAC ETA ATM IOU NYSE USDA NOAA")
SHORT_WORDS = word_set(
    "A ADD ALL AM AN AND ANY ARE ARM AS ASK AT BAD BAG BE BED BIG BOX BOY BUS BUT BUY BY CAN CAR CAT CUT "
    "DAY DID DO DOG DRY DUE EAT END FAN FAR FEW FIX FOR FUN GAS GET GO GOT HAD HAS HE HER HI HIM HIS HIT "
    "HOT HOW ICE IF IN IS ITS JOB KEY LET LOW MAN MAY ME MY NEW NO NOT NOW ODD OF OFF OH OIL OLD ON ONE "
    "OPEN OR OUR OUT OWN PAY PUT RAN RED RUN SAY SEE SET SHE SO SUN TEN THE TO TOO TOP TRY TWO UP USE VAN "
    "VERY WAR WAS WAY WE WET WHO WHY WIN YES YET YOU"
)

RULERS = word_set(
    "Henry Elizabeth George Edward Charles William James Louis Richard Philip Francis Frederick Catherine "
    "Mary Pius Benedict Gregory Napoleon Wilhelm Alexander Nicholas Peter Ivan Paul"
)
NUMBERED_BY_ROMAN = word_set(
    "Chapter Part Volume Act Section Book Phase Level Article Stage Appendix Title Season Episode Class "
    "Type War Bowl Mark"
)

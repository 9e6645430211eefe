"""Tables as spreadsheets copy them, which `lib` and the what-if page read alike."""

PASTES = {
    "Year\tExports\n2021\t1 234,5\n2022\t2 345,6": {2021: 1234.5, 2022: 2345.6},
    "Jahr;Wert\r\n2021;1.234,5\r\n2022;987\r\n": {2021: 1234.5, 2022: 987},
    'year,value\n2021,"1,234"\n2022,"2,345"': {2021: 1234, 2022: 2345},
    "2021\t1,234.5\n2022\t1\u202f345": {2021: 1234.5, 2022: 1345},
    "2021 12,5\n2022 1.234": {2021: 12.5, 2022: 1234},
    "2021 1.234.567\n2022 1.300.000 +5,3 %": {2021: 1234567, 2022: 1300000},
    "2021 1234.567": {2021: 1234.567},
    "2021: 1'234": {2021: 1234},
}
"""What spreadsheets copy: headers, tabs, semicolons, thousands apart, decimal commas; and what it says."""

"""
Read a house price from inside
==============================

932 houses sold around Sacramento. A pipeline scales numbers and turns zip codes into columns, and
one neuron on the logarithm of the price makes one number of it all. What did it learn, in square
feet and dollars, and why is this house worth that much?
"""

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sknneuron import NeuronRegressor
from sknneuron.inspection import (
    CoefDisplay,
    ContributionDisplay,
    NeuronDisplay,
    coef_table,
    contributions,
    diagnose,
)

HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
sales = pd.read_csv(HERE / "data" / "sacramento.csv", dtype={"zip": str})
X = sales[["sqft", "beds", "baths", "latitude", "zip", "type"]]
price = sales["price"].astype(float)

columns = make_column_transformer(
    (StandardScaler(), ["sqft", "beds", "baths", "latitude"]),
    (OneHotEncoder(min_frequency=10, handle_unknown="infrequent_if_exist"), ["zip", "type"]),
)
model = TransformedTargetRegressor(
    make_pipeline(columns, NeuronRegressor()), func=np.log, inverse_func=np.exp
)
model.fit(X, price)
print(f"R2 on the houses it was fitted on: {model.score(X, price):.2f}")

# %%
# First the doctor: nothing that would make the rest meaningless.
print(diagnose(model, X, price))

# %%
# The neuron as it is: the lines are as thick as weight times standard deviation.
NeuronDisplay.from_estimator(model, X)
plt.show()

# %%
# ``scale="original"`` undoes the scaler and the encoder. On a log price a weight is a percentage:
# a square foot more, a zip code instead of the average one.
table = coef_table(model, X, price, scale="original").set_index("feature")
print(table.loc[["sqft", "beds", "baths"], ["weight", "ci_low", "ci_high", "note"]].to_string())
CoefDisplay.from_estimator(model, X, price, scale="original")
plt.show()

# %%
# One house, from the bias to the price. The terms sum to z exactly; there is nothing to sample.
# Against the mean house ("mean") they say what is special about this one.
row = int(np.argmax(price))
ContributionDisplay.from_estimator(model, X, row=row, baseline="mean")
plt.show()
print(f"sold for {price[row]:,.0f}, the neuron says {model.predict(X[row : row + 1])[0]:,.0f}")

# %%
# All houses at once: which column moves the neuron most, from house to house?
terms = contributions(model, X, baseline="mean")
print(terms[X.columns].std().sort_values(ascending=False).round(3).to_string())

# %%
# A weight is not importance. More bedrooms *in the same square feet* are smaller ones: that is why
# the weight of beds is what it is, and no reason to wall a bedroom up.
print(X[["sqft", "beds", "baths"]].corr().round(2).to_string())
# sphinx_gallery_thumbnail_number = 3

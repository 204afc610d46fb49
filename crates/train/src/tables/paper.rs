//! The paper's own numbers (Qin et al., Tables I, II, III, V and VI), in per cent.

use super::Cell;
use super::Table;
use crate::model::{Backbone, Head, Method};

/// A figure with its standard deviation over the folds, where the paper gives one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure(pub f64, pub Option<f64>);

/// What the paper gives for a cell; absent figures are not in its table.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Numbers {
    /// (TP + TN) / all.
    pub accuracy: Option<Figure>,
    /// TP / (TP + FN).
    pub sensitivity: Option<Figure>,
    /// TN / (TN + FP).
    pub specificity: Option<Figure>,
    /// Area under the ROC curve.
    pub auc: Option<Figure>,
}

/// Accuracy, sensitivity, specificity, AUC of the five backbones.
const FROM_SCRATCH: [[[f64; 4]; 5]; 2] = [
    [
        [72.99, 73.68, 72.15, 75.71],
        [70.11, 79.76, 61.11, 73.74],
        [68.96, 70.00, 67.57, 73.15],
        [66.09, 71.74, 64.63, 70.17],
        [67.81, 75.51, 57.89, 69.20],
    ],
    [
        [72.41, 66.29, 78.82, 79.56],
        [70.69, 68.42, 73.42, 78.44],
        [69.54, 64.21, 75.95, 73.94],
        [68.29, 65.06, 71.43, 69.73],
        [67.24, 64.58, 70.51, 73.69],
    ],
];

/// Accuracy with its deviation at 0 to 13 frozen convolutions: B-mode, elastograms.
const FROZEN: [[[f64; 2]; 2]; 14] = [
    [[75.05, 1.65], [76.89, 1.54]],
    [[76.21, 0.65], [77.47, 1.96]],
    [[78.85, 1.59], [78.16, 0.41]],
    [[78.74, 0.57], [79.34, 1.26]],
    [[80.57, 1.31], [80.57, 1.59]],
    [[81.95, 1.19], [82.29, 0.94]],
    [[82.76, 0.74], [85.06, 0.66]],
    [[81.72, 1.36], [83.10, 1.32]],
    [[81.26, 1.97], [83.56, 1.18]],
    [[80.23, 0.31], [82.52, 1.75]],
    [[79.88, 1.21], [81.03, 1.77]],
    [[79.54, 0.51], [81.15, 1.59]],
    [[78.05, 1.10], [80.23, 1.55]],
    [[76.44, 1.40], [79.77, 1.24]],
];

/// Accuracy, sensitivity, specificity, AUC, each with its deviation, at 0 to 13 frozen convolutions.
const FUSED_FROZEN: [[[f64; 2]; 4]; 14] = [
    [[75.86, 1.77], [75.00, 1.45], [76.83, 1.60], [85.17, 1.54]],
    [[77.01, 0.63], [80.41, 0.26], [72.73, 0.94], [85.15, 0.62]],
    [[78.74, 1.35], [82.35, 1.57], [73.61, 1.27], [86.61, 1.24]],
    [[79.31, 1.64], [82.76, 1.18], [75.86, 1.22], [87.79, 1.13]],
    [[81.03, 0.70], [75.82, 0.98], [86.75, 0.82], [91.07, 0.94]],
    [[83.91, 0.60], [82.98, 0.85], [85.00, 0.46], [90.59, 0.89]],
    [[86.21, 0.84], [90.10, 0.91], [80.82, 0.62], [92.50, 0.94]],
    [[82.76, 0.74], [81.11, 0.77], [84.52, 0.82], [88.89, 1.03]],
    [[84.48, 0.61], [81.25, 0.43], [87.23, 0.77], [89.19, 0.26]],
    [[81.61, 0.64], [82.98, 0.54], [80.00, 0.33], [87.11, 0.73]],
    [[77.59, 0.33], [73.53, 0.76], [83.33, 0.20], [85.36, 0.94]],
    [[77.01, 0.91], [77.32, 0.69], [76.62, 0.76], [84.34, 0.63]],
    [[75.86, 1.14], [76.24, 1.35], [75.34, 0.98], [83.66, 0.66]],
    [[73.56, 1.30], [74.23, 1.62], [72.73, 0.94], [79.49, 1.38]],
];

/// Accuracy, sensitivity, specificity, AUC, each with its deviation: head by head, method by method.
const METHODS: [[[[f64; 2]; 4]; 5]; 3] = [
    [
        [[82.76, 0.74], [86.14, 0.62], [78.08, 0.94], [89.61, 0.58]],
        [[85.06, 0.66], [82.14, 0.38], [87.78, 0.51], [91.75, 0.56]],
        [[85.30, 0.97], [83.05, 0.71], [87.65, 0.46], [90.95, 0.91]],
        [[86.21, 0.84], [90.10, 0.91], [80.82, 0.62], [92.50, 0.94]],
        [[92.42, 0.63], [92.31, 0.81], [92.54, 0.81], [98.07, 0.29]],
    ],
    [
        [[87.93, 0.88], [91.30, 0.55], [84.15, 0.56], [92.84, 0.51]],
        [[87.36, 0.80], [86.17, 0.93], [88.75, 0.75], [94.28, 0.44]],
        [[87.90, 0.42], [85.08, 1.17], [90.96, 0.91], [93.55, 1.03]],
        [[89.08, 0.76], [91.21, 1.13], [86.75, 1.39], [93.13, 1.12]],
        [[94.70, 0.53], [92.77, 1.04], [97.96, 1.13], [98.77, 1.05]],
    ],
    [
        [[86.20, 0.76], [86.52, 0.57], [85.88, 1.09], [92.02, 2.01]],
        [[84.48, 0.89], [83.48, 1.09], [86.44, 0.47], [92.50, 1.25]],
        [[86.74, 1.39], [87.36, 1.40], [86.13, 0.86], [92.93, 1.98]],
        [[87.93, 0.91], [88.76, 0.98], [87.06, 0.90], [94.06, 1.17]],
        [[93.94, 0.97], [93.24, 0.88], [93.10, 0.94], [98.60, 1.11]],
    ],
];

/// The paper's numbers for a cell.
pub fn numbers(cell: &Cell) -> Numbers {
    let full = |row: Option<&[[f64; 2]; 4]>| {
        row.map_or_else(Numbers::default, |row| {
            let [accuracy, sensitivity, specificity, auc] =
                row.map(|[v, sd]| Some(Figure(v, Some(sd))));
            Numbers { accuracy, sensitivity, specificity, auc }
        })
    };
    let architecture = &cell.architecture;
    let second = usize::from(architecture.method == Method::Elastography);
    match cell.table {
        Table::I | Table::Ii => {
            let at = Backbone::ALL.iter().position(|b| *b == architecture.backbone);
            at.and_then(|i| FROM_SCRATCH[second].get(i)).map_or_else(Numbers::default, |row| {
                let [accuracy, sensitivity, specificity, auc] = row.map(|v| Some(Figure(v, None)));
                Numbers { accuracy, sensitivity, specificity, auc }
            })
        }
        Table::Iii => Numbers {
            accuracy: FROZEN
                .get(cell.freeze)
                .map(|row| Figure(row[second][0], Some(row[second][1]))),
            ..Numbers::default()
        },
        Table::V => full(FUSED_FROZEN.get(cell.freeze)),
        Table::Vi => {
            let head = Head::ALL.iter().position(|h| *h == architecture.head);
            let method = Method::ALL.iter().position(|m| *m == architecture.method);
            full(head.zip(method).and_then(|(h, m)| METHODS.get(h)?.get(m)))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{Scale, cells};
    use super::*;

    #[test]
    fn every_cell_of_the_full_scale_has_the_papers_accuracy() {
        let all = cells(&Table::ALL, &Scale::full());
        assert_eq!(all.len(), 5 + 5 + 28 + 14 + 15);
        for cell in &all {
            let accuracy = numbers(cell).accuracy.unwrap().0;
            assert!((60.0..100.0).contains(&accuracy), "{}", cell.name());
        }
        let best = all
            .iter()
            .filter(|c| c.table == Table::Vi)
            .max_by(|a, b| {
                let of = |c: &Cell| numbers(c).accuracy.unwrap().0;
                of(a).total_cmp(&of(b))
            })
            .unwrap();
        assert_eq!(best.architecture.method, Method::ReFusion);
        assert_eq!(best.architecture.head, Head::Spp);
    }
}
